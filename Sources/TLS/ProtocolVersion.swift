import COpenSSL

/// A version of TLS, by its number on the wire.
public enum ProtocolVersion: UInt16, Comparable, BitwiseCopyable, Sendable {
    case tls10 = 0x0301
    case tls11 = 0x0302
    case tls12 = 0x0303
    case tls13 = 0x0304

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

    /// As logs and access logs write it.
    public var text: StaticString {
        switch self {
        case .tls10: "TLSv1"
        case .tls11: "TLSv1.1"
        case .tls12: "TLSv1.2"
        case .tls13: "TLSv1.3"
        }
    }
}
