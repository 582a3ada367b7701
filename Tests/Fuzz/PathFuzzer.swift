import Core
import HTTP

/// Any path: no trap; normalising twice is normalising once; nothing that is removed remains.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzPath(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0, let action = EscapedSlashesAction(rawValue: data[0] % 4) else { return 0 }
    // Exact memory of its own, so that a read past the end is found.
    let path = Array(UnsafeBufferPointer(start: data + 1, count: count - 1))
    guard let once = normal(path, action) else { return 0 }
    check(once.count <= max(path.count, 1) && once.first == ASCII.slash, "longer than before, or no path")
    check(normal(once, action) == once, "twice is not once")
    var segment: [UInt8] = []
    for (at, byte) in once.enumerated() {
        if byte == ASCII.slash {
            check(at == 0 || once[at - 1] != ASCII.slash, "two slashes")
            segment = []
        } else {
            segment.append(byte)
        }
        let ends = at + 1 == once.count || once[at + 1] == ASCII.slash || once[at + 1] == ASCII.semicolon
        check(!(ends && (segment == [ASCII.dot] || segment == [ASCII.dot, ASCII.dot])), "a dot segment")
    }
    return 0
}

private func normal(_ path: [UInt8], _ action: EscapedSlashesAction) -> [UInt8]? {
    var buffer = ByteBuffer()
    switch path.withView({ PathNormalizer.normalise(path: $0, into: &buffer, escapedSlashes: action) }) {
    case .unchanged: return path
    case .rewritten, .redirect: return buffer.view.array
    case .refused: return nil
    }
}
