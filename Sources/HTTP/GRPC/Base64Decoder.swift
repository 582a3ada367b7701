import Core

/// The base64 of RFC 4648, section 4, as it comes in: in any pieces, and as several encodings one after the other, each
/// padded at its end, which is what a stream of messages looks like in `application/grpc-web-text`.
///
/// Strict, so that there is one reading: no other alphabet, no blanks, no bits behind the last octet.
public struct Base64Decoder: BitwiseCopyable, Sendable {
    /// The digits of a group that is not whole, the first one highest.
    private var group: UInt32 = 0
    private var digits: UInt8 = 0
    /// Of the `=` that end a group, those that came.
    private var padding: UInt8 = 0

    public init() {}

    /// No group is begun: what came so far can be all.
    public var isAtBoundary: Bool { digits == 0 }

    /// Appends what the text means to `output`.
    /// - Returns: false: it is no base64; what was appended of this piece means nothing.
    public mutating func decode(_ text: ByteView, to output: inout ByteBuffer) -> Bool {
        output.makeRoom(text.count / 4 * 3 + 3)
        for index in text.indices {
            let octet = text[index]
            if octet == ASCII.equals {
                guard pad(&output) else { return false }
                continue
            }
            guard padding == 0, let digit = Self.value(octet) else { return false }
            group = group << 6 | UInt32(digit)
            digits += 1
            guard digits == 4 else { continue }
            output.append(byte: UInt8(truncatingIfNeeded: group >> 16))
            output.append(byte: UInt8(truncatingIfNeeded: group >> 8))
            output.append(byte: UInt8(truncatingIfNeeded: group))
            group = 0
            digits = 0
        }
        return true
    }

    private mutating func pad(_ output: inout ByteBuffer) -> Bool {
        padding += 1
        switch (digits, padding) {
        case (3, 1):
            // Two octets and two bits, which are nothing.
            guard group & 3 == 0 else { return false }
            output.append(byte: UInt8(truncatingIfNeeded: group >> 10))
            output.append(byte: UInt8(truncatingIfNeeded: group >> 2))
        case (2, 1): return true
        case (2, 2):
            guard group & 15 == 0 else { return false }
            output.append(byte: UInt8(truncatingIfNeeded: group >> 4))
        default: return false
        }
        self = Base64Decoder()
        return true
    }

    private static func value(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x41...0x5A: octet - 0x41
        case 0x61...0x7A: octet - 0x61 + 26
        case 0x30...0x39: octet - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
