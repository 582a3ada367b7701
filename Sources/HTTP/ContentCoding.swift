import Core

/// A coding of content that the gateway can apply (RFC 9110, section 8.4.1; RFC 1952, RFC 7932, RFC 8878).
public enum ContentCoding: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case gzip, brotli, zstd

    /// As Content-Encoding and Accept-Encoding name it.
    public var token: StaticString {
        switch self {
        case .gzip: "gzip"
        case .brotli: "br"
        case .zstd: "zstd"
        }
    }
}
