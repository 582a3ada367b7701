import Core
import TLS

/// Any octets, in any pieces: no trap; what is decided early stays decided; what is asked for is more than there is.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzClientHello(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let pieces = Pieces(data, count)
    let whole = kind(peek(pieces.octets))
    for cut in pieces.cuts {
        let part = peek(Array(pieces.octets[..<cut]))
        if case .needMore(let atLeast) = part {
            check(atLeast > cut, "more is asked for than is missing")
            if case .hello = peek(pieces.octets) {
                check(atLeast <= pieces.octets.count, "it is whole with fewer octets than asked for")
            }
        } else {
            check(kind(part) == whole, "pieces change the outcome")
        }
    }
    if case .hello(let hello) = peek(pieces.octets) {
        check(hello.serverName.map { !$0.isEmpty && $0.count <= 253 } ?? true, "a name without sense")
        check(hello.protocols.allSatisfy { !$0.isEmpty }, "an empty protocol")
    }
    return 0
}

private func peek(_ octets: [UInt8]) -> ClientHello.Peek { octets.withView { ClientHello.peek($0) } }

/// Reasons are for logs; a name and its protocols must not change.
private func kind(_ peek: ClientHello.Peek) -> String {
    switch peek {
    case .needMore: "more"
    case .notTLS: "not TLS"
    case .malformed: "malformed"
    case .hello(let hello): "\(hello)"
    }
}
