import Core

/// Reads one field line, or the empty line that ends a section (RFC 9112, section 5). Strict: no folding, no blank
/// before the colon, CRLF only. Offsets count from `base`.
enum FieldLineParser {
    enum Step {
        case line(FieldLine, next: Int)
        case sectionEnd(next: Int)
        case incomplete
        case refused(HeadRefusal)
    }

    @inline(__always) static func parse(_ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int) -> Step {
        let colon = OctetScan.endOfToken(p, at, end)
        guard colon < end, p[colon] == ASCII.colon, colon > at else { return noName(p, at, colon, end) }
        guard colon - at <= HeadLimits.fieldNameOctets else { return .refused(.fieldNameTooLong) }
        var low = colon + 1
        while low < end, ASCII.isBlank(p[low]) { low += 1 }
        let stop = OctetScan.endOfValue(p, low, end)
        guard stop + 1 < end, p[stop] == ASCII.cr, p[stop + 1] == ASCII.lf else { return noLineEnd(p, stop, end) }
        var high = stop
        while high > low, ASCII.isBlank(p[high - 1]) { high -= 1 }
        let line = FieldLine(
            nameOffset: UInt32(truncatingIfNeeded: at), nameLength: UInt16(truncatingIfNeeded: colon - at),
            valueOffset: UInt32(truncatingIfNeeded: low), valueLength: UInt32(truncatingIfNeeded: high - low),
            name: FieldName.lookup(p + at, colon - at))
        return .line(line, next: stop + 2)
    }

    /// The line does not begin with a name and a colon: the end of the section, too few octets, or an offence.
    @inline(never) private static func noName(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ stop: Int, _ end: Int
    ) -> Step {
        guard stop < end else { return .incomplete }
        let byte = p[stop]
        if stop == at {
            switch byte {
            case ASCII.cr:
                guard at + 1 < end else { return .incomplete }
                return p[at + 1] == ASCII.lf ? .sectionEnd(next: at + 2) : .refused(.bareCarriageReturn)
            case ASCII.lf: return .refused(.bareLineFeed)
            case ASCII.space, ASCII.tab: return .refused(.foldedLine)
            case ASCII.colon: return .refused(.emptyFieldName)
            default: return .refused(.illegalFieldName)
            }
        }
        return .refused(ASCII.isBlank(byte) ? .blankBeforeColon : .illegalFieldName)
    }

    /// The value does not end in CRLF.
    @inline(never) private static func noLineEnd(_ p: UnsafePointer<UInt8>, _ stop: Int, _ end: Int) -> Step {
        guard stop < end else { return .incomplete }
        switch p[stop] {
        case ASCII.cr: return stop + 1 < end ? .refused(.bareCarriageReturn) : .incomplete
        case ASCII.lf: return .refused(.bareLineFeed)
        default: return .refused(.illegalFieldValue)
        }
    }
}
