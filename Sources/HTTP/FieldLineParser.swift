import Core

/// Reads one field line, or the empty line that ends a section (RFC 9112, section 5). Strict: no folding, no blank
/// before the colon, CRLF only. Offsets count from `base`.
enum FieldLineParser {
    /// Why there is no field line here.
    enum Stop {
        case sectionEnd(next: Int)
        case incomplete
        case refused(HeadRefusal)
    }

    /// Reads the line at `at` into `line`, whose name is not looked up yet (``FieldTable/classify(_:_:)``), and returns where the next one begins; or returns 0 and says why in `stop`. A
    /// number and two places instead of one enumeration: the compiler keeps them in registers, which is a tenth of the
    /// whole parser's work.
    @inline(__always) static func parse(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ line: UnsafeMutablePointer<FieldLine>, _ stop: inout Stop
    ) -> Int {
        let colon = OctetScan.endOfToken(p, at, end)
        guard colon < end, p[colon] == ASCII.colon else {
            stop = noName(p, at, colon, end)
            return 0
        }
        let nameLength = colon &- at
        // One comparison for both bounds: 0 wraps around.
        guard UInt(bitPattern: nameLength &- 1) < UInt(HeadLimits.fieldNameOctets) else {
            stop = .refused(nameLength == 0 ? .emptyFieldName : .fieldNameTooLong)
            return 0
        }
        // One space, then the value: everybody sends it so.
        var low = colon &+ 1
        if low &+ 1 < end, p[low] == ASCII.space, p[low &+ 1] > ASCII.space {
            low &+= 1
        } else {
            while low < end, ASCII.isBlank(p[low]) { low &+= 1 }
        }
        let high = OctetScan.endOfValue(p, low, end)
        guard high &+ 1 < end, p[high] == ASCII.cr, p[high &+ 1] == ASCII.lf else {
            stop = noLineEnd(p, high, end)
            return 0
        }
        var last = high
        if ASCII.isBlank(p[high &- 1]) {
            while last > low, ASCII.isBlank(p[last &- 1]) { last &-= 1 }
        }
        line.pointee = FieldLine(
            nameOffset: UInt32(truncatingIfNeeded: at), nameLength: UInt16(truncatingIfNeeded: nameLength),
            valueOffset: UInt32(truncatingIfNeeded: low), valueLength: UInt32(truncatingIfNeeded: last &- low),
            name: .other)
        return high &+ 2
    }

    /// The line does not begin with a name and a colon: the end of the section, too few octets, or an offence.
    @inline(never) private static func noName(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ stop: Int, _ end: Int
    ) -> Stop {
        guard stop < end else { return .incomplete }
        let byte = p[stop]
        if stop == at {
            switch byte {
            case ASCII.cr:
                guard at + 1 < end else { return .incomplete }
                return p[at + 1] == ASCII.lf ? .sectionEnd(next: at + 2) : .refused(.bareCarriageReturn)
            case ASCII.lf: return .refused(.bareLineFeed)
            case ASCII.space, ASCII.tab: return .refused(.foldedLine)
            default: return .refused(.illegalFieldName)
            }
        }
        return .refused(ASCII.isBlank(byte) ? .blankBeforeColon : .illegalFieldName)
    }

    /// The value does not end in CRLF.
    @inline(never) private static func noLineEnd(_ p: UnsafePointer<UInt8>, _ stop: Int, _ end: Int) -> Stop {
        guard stop < end else { return .incomplete }
        switch p[stop] {
        case ASCII.cr: return stop + 1 < end ? .refused(.bareCarriageReturn) : .incomplete
        case ASCII.lf: return .refused(.bareLineFeed)
        default: return .refused(.illegalFieldValue)
        }
    }
}
