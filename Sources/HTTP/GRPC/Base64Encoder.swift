import Core

/// Writes base64 (RFC 4648, section 4) as octets come: whole groups at once, the last one when it is said to be the last.
public struct Base64Encoder: BitwiseCopyable, Sendable {
    /// One or two octets that are no group yet.
    private var group: UInt32 = 0
    private var octets: UInt8 = 0

    public init() {}

    public mutating func encode(_ content: ByteView, to output: inout ByteBuffer) {
        output.makeRoom((content.count + 2) / 3 * 4)
        for index in content.indices {
            group = group << 8 | UInt32(content[index])
            octets += 1
            guard octets == 3 else { continue }
            for place in 0..<4 { output.append(byte: Self.digit(group >> UInt32(18 - 6 * place))) }
            group = 0
            octets = 0
        }
    }

    /// Ends the encoding with its padding; what comes then is another one.
    public mutating func finish(to output: inout ByteBuffer) {
        switch octets {
        case 1:
            output.append(byte: Self.digit(group >> 2))
            output.append(byte: Self.digit(group << 4))
            output.append("==")
        case 2:
            output.append(byte: Self.digit(group >> 10))
            output.append(byte: Self.digit(group >> 4))
            output.append(byte: Self.digit(group << 2))
            output.append("=")
        default: break
        }
        self = Base64Encoder()
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        ByteView("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")[Int(value & 63)]
    }
}
