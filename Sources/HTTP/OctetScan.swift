import Core

/// The inner loops of the parsers: where does a run of harmless octets end? Sixteen octets a step, the rest one by one.
/// No function reads at or past `end`.
enum OctetScan {
    typealias Base = UnsafePointer<UInt8>
    private typealias Lanes = SIMD16<UInt8>

    @inline(__always) private static func lanes(_ p: Base, _ at: Int) -> Lanes {
        UnsafeRawPointer(p).loadUnaligned(fromByteOffset: at, as: Lanes.self)
    }

    private typealias Mask = SIMDMask<SIMD16<Int8>>

    /// The mask as two machine words, because Swift has no name for PMOVMSKB, and its `any` is a call.
    @inline(__always) private static func words(_ mask: Mask) -> (low: UInt64, high: UInt64) {
        let both = unsafeBitCast(mask, to: SIMD2<UInt64>.self)
        return (both[0], both[1])
    }

    @inline(__always) private static func any(_ mask: Mask) -> Bool {
        let (low, high) = words(mask)
        return low | high != 0
    }

    /// The first lane that is set in a mask that is not all clear.
    @inline(__always) private static func first(_ mask: Mask) -> Int {
        let (low, high) = words(mask)
        return low != 0 ? low.trailingZeroBitCount &>> 3 : 8 &+ high.trailingZeroBitCount &>> 3
    }

    @inline(__always) private static func equal(_ v: Lanes, _ byte: UInt8) -> Mask { v .== Lanes(repeating: byte) }
    @inline(__always) private static func below(_ v: Lanes, _ byte: UInt8) -> Mask { v .< Lanes(repeating: byte) }

    @inline(__always) private static func isLetterDigitDash(_ v: Lanes) -> Mask {
        below((v | 0x20) &- 0x61, 26) .| below(v &- 0x30, 10) .| equal(v, 0x2D)
    }

    // MARK: classes of octets, as bit maps of ASCII

    /// RFC 9110, section 5.6.2: `!#$%&'*+-.^_`|~`, digits and letters.
    @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        guard byte < 128 else { return false }
        return ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 != 0
    }

    /// RFC 3986, section 2.3: letters, digits, `-._~`.
    @inline(__always) static func isUnreserved(_ byte: UInt8) -> Bool {
        let low: UInt64 = 0x03FF_6000_0000_0000
        let high: UInt64 = 0x47FF_FFFE_87FF_FFFE
        guard byte < 128 else { return false }
        return ((byte < 64 ? low : high) >> UInt64(byte & 63)) & 1 != 0
    }

    // MARK: scans

    /// The first octet at or after `at` that cannot be in a field name, or `end`.
    @inline(__always) static func endOfToken(_ p: Base, _ at: Int, _ end: Int) -> Int {
        var i = at
        // Letters and `-` are all that common names hold, and most end within sixteen octets; anything else is left to
        // the exact loop below.
        while i &+ 16 <= end {
            let v = lanes(p, i)
            let (low, high) = words(.!(below((v | 0x20) &- 0x61, 26) .| equal(v, 0x2D)))
            if low != 0 {
                i &+= low.trailingZeroBitCount &>> 3
                break
            }
            if high != 0 {
                i &+= 8 &+ high.trailingZeroBitCount &>> 3
                break
            }
            i &+= 16
        }
        while i < end, isToken(p[i]) { i &+= 1 }
        return i
    }

    /// The first octet at or after `at` that is not a letter, a digit, `-`, or a dot before something that is no dot;
    /// or `end`, or somewhere short of it: what is left has to be looked at with care.
    @inline(__always) static func endOfPlainName(_ p: Base, _ at: Int, _ end: Int) -> Int {
        var i = at
        while i &+ 17 <= end {
            let v = lanes(p, i)
            let single = equal(v, ASCII.dot) .& .!equal(lanes(p, i &+ 1), ASCII.dot)
            let mask = .!(isLetterDigitDash(v) .| single)
            if any(mask) { return i &+ first(mask) }
            i &+= 16
        }
        return i
    }

    /// The first octet at or after `at` that cannot be in a field value (any control octet but HTAB), or `end`.
    @inline(__always) static func endOfValue(_ p: Base, _ at: Int, _ end: Int) -> Int {
        var i = at
        while i &+ 16 <= end {
            let v = lanes(p, i)
            let mask = below(v, 0x20) .| equal(v, 0x7F)
            if any(mask) {
                i &+= first(mask)
                if p[i] != ASCII.tab { return i }
                i &+= 1
            } else {
                i &+= 16
            }
        }
        while i < end, p[i] >= 0x20 && p[i] != 0x7F || p[i] == ASCII.tab { i &+= 1 }
        return i
    }

    /// The first octet at or after `at` that ends a target or its path: control, space, DEL, `#`, and `?`; or `end`.
    @inline(__always) static func endOfPath(_ p: Base, _ at: Int, _ end: Int) -> Int {
        var i = at
        while i &+ 16 <= end {
            let v = lanes(p, i)
            let mask = below(v, 0x21) .| equal(v, 0x7F) .| equal(v, ASCII.question) .| equal(v, 0x23)
            if any(mask) { return i &+ first(mask) }
            i &+= 16
        }
        while i < end, isInTarget(p[i]), p[i] != ASCII.question { i &+= 1 }
        return i
    }

    /// As ``endOfPath``, but `?` is an octet like others.
    @inline(__always) static func endOfTarget(_ p: Base, _ at: Int, _ end: Int) -> Int {
        var i = at
        while i &+ 16 <= end {
            let v = lanes(p, i)
            let mask = below(v, 0x21) .| equal(v, 0x7F) .| equal(v, 0x23)
            if any(mask) { return i &+ first(mask) }
            i &+= 16
        }
        while i < end, isInTarget(p[i]) { i &+= 1 }
        return i
    }

    @inline(__always) private static func isInTarget(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte != 0x7F && byte != 0x23
    }

    /// Whether a path may need work: `%`, `\`, `#`, control octets, space, DEL, or a slash before a slash or a dot.
    /// False means that ``PathNormalizer`` would leave it as it is.
    @inline(__always) static func pathNeedsWork(_ p: Base, _ count: Int) -> Bool {
        var i = 0
        while i &+ 17 <= count {
            let v = lanes(p, i)
            let next = lanes(p, i &+ 1)
            let slashes = equal(v, ASCII.slash) .& (equal(next, ASCII.slash) .| equal(next, ASCII.dot))
            let odd = below(v, 0x21) .| equal(v, 0x7F) .| equal(v, 0x25) .| equal(v, 0x5C) .| equal(v, 0x23)
            if any(slashes .| odd) { return true }
            i &+= 16
        }
        while i < count {
            let byte = p[i]
            i &+= 1
            // Most are letters and digits, of which less must be asked.
            if byte >= 0x30 {
                if byte == 0x5C || byte == 0x7F { return true }
                continue
            }
            if byte <= 0x20 || byte == 0x25 || byte == 0x23 { return true }
            if byte == ASCII.slash, i < count, p[i] == ASCII.slash || p[i] == ASCII.dot { return true }
        }
        return false
    }
}
