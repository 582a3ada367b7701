import Core

/// Brings a path into the one form that is matched and forwarded, so that no backend can see another path than the one
/// that rules and policies were applied to. Normalising twice is the same as once.
///
/// In this order, as Envoy does it: unreserved percent-encodings are decoded (RFC 3986, section 6.2.2.2), escaped
/// slashes treated, dot segments removed (section 5.2.4; above the root they vanish), runs of slashes merged. So
/// `/a//../b` is `/a/b`. The case of the hexadecimal digits that remain is left alone, octets above 0x7F too.
public enum PathNormalizer {
    /// - Parameters:
    ///   - path: without query. An empty one (of an absolute target) becomes `/` (RFC 3986, section 6.2.3).
    ///   - buffer: emptied first; afterwards as ``PathOutcome`` says. Allocates only when it has no room.
    ///   - mergesSlashes: false leaves runs of slashes as they are (ClientTrafficPolicy, `path.disableMergeSlashes`).
    public static func normalise(
        path: ByteView, into buffer: inout ByteBuffer, escapedSlashes: EscapedSlashesAction = .unescapeAndRedirect,
        mergesSlashes: Bool = true
    ) -> PathOutcome {
        buffer.clear()
        guard let p = path.base, path.count > 0 else {
            buffer.append(byte: ASCII.slash)
            return .rewritten
        }
        guard p[0] == ASCII.slash else { return .refused(.notAbsolute) }
        if !OctetScan.pathNeedsWork(p, path.count) { return .unchanged }
        return rewrite(path, into: &buffer, escapedSlashes, mergesSlashes)
    }

    @inline(never) private static func rewrite(
        _ path: ByteView, into buffer: inout ByteBuffer, _ action: EscapedSlashesAction, _ mergesSlashes: Bool
    ) -> PathOutcome {
        buffer.makeRoom(path.count)
        let out = buffer.writePointer
        var unescapedSlash = false
        var at = 0
        var length = 0
        while at < path.count {
            var byte = path[at]
            at += 1
            if byte <= 0x20 || byte == 0x7F || byte == 0x5C || byte == 0x23 { return .refused(.illegalOctet) }
            if byte == ASCII.percent {
                guard at + 2 <= path.count, let high = ASCII.hexValue(path[at]),
                    let low = ASCII.hexValue(path[at + 1])
                else { return .refused(.malformedEscape) }
                let decoded = high << 4 | low
                if decoded == 0 { return .refused(.escapedNull) }
                let isSlash = decoded == ASCII.slash || decoded == 0x5C
                if isSlash, action == .rejectRequest { return .refused(.escapedSlash) }
                if isSlash, action != .keepUnchanged {
                    // A backslash that was escaped becomes the slash that most backends would take it for.
                    unescapedSlash = true
                    byte = ASCII.slash
                    at += 2
                } else if OctetScan.isUnreserved(decoded) {
                    byte = decoded
                    at += 2
                } else {
                    out[length] = byte
                    out[length + 1] = path[at]
                    byte = path[at + 1]
                    length += 2
                    at += 2
                }
            }
            out[length] = byte
            length += 1
        }
        guard let dotless = removeDotSegments(out, length) else { return .refused(.dotSegmentWithParameters) }
        length = mergesSlashes ? mergeSlashes(out, dotless) : dotless
        if unescapedSlash, action == .unescapeAndRedirect {
            // A reference that begins with two slashes names another host (RFC 3986, section 4.2): nobody is sent there.
            if !mergesSlashes { length = mergeLeadingSlashes(out, length) }
            buffer.didWrite(length)
            return .redirect
        }
        if path.equals(ByteView(out, count: length)) { return .unchanged }
        buffer.didWrite(length)
        return .rewritten
    }

    /// In place; the result is never longer. Nil when a segment is `.` or `..` with parameters: servlet containers cut
    /// those off and then see a dot segment that nobody in front of them saw.
    private static func removeDotSegments(_ out: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int? {
        var read = 0
        var write = 0
        while read < count {
            // `read` stands on a slash; the segment ends before the next one.
            var stop = read + 1
            while stop < count, out[stop] != ASCII.slash { stop += 1 }
            let segment = ByteView(out + read + 1, count: stop - read - 1)
            let isLast = stop == count
            switch dots(segment) {
            case .withParameters: return nil
            case .one:
                if isLast { write = put(ASCII.slash, out, write) }
            case .two:
                while write > 0 {
                    write -= 1
                    if out[write] == ASCII.slash { break }
                }
                if isLast { write = put(ASCII.slash, out, write) }
            case .none:
                for i in read..<stop {
                    out[write] = out[i]
                    write += 1
                }
            }
            read = stop
        }
        return max(write, put(ASCII.slash, out, 0))
    }

    private enum Dots { case none, one, two, withParameters }

    private static func dots(_ segment: ByteView) -> Dots {
        guard segment.count > 0, segment[0] == ASCII.dot else { return .none }
        let length = segment.count > 1 && segment[1] == ASCII.dot ? 2 : 1
        if segment.count == length { return length == 1 ? .one : .two }
        return segment[length] == ASCII.semicolon ? .withParameters : .none
    }

    private static func put(_ byte: UInt8, _ out: UnsafeMutablePointer<UInt8>, _ at: Int) -> Int {
        out[at] = byte
        return at + 1
    }

    private static func mergeLeadingSlashes(_ out: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        var surplus = 0
        while surplus + 1 < count, out[surplus + 1] == ASCII.slash { surplus += 1 }
        guard surplus > 0 else { return count }
        for i in surplus..<count { out[i - surplus] = out[i] }
        return count - surplus
    }

    private static func mergeSlashes(_ out: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        var write = 0
        for read in 0..<count {
            if out[read] == ASCII.slash, write > 0, out[write - 1] == ASCII.slash { continue }
            out[write] = out[read]
            write += 1
        }
        return write
    }
}
