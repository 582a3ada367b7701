import Core

extension FieldName {
    /// Fields that hold a message and its connection together. The gateway writes them itself, so no edit of a policy
    /// reaches them.
    public var isOfFraming: Bool {
        switch self {
        case .connection, .contentLength, .transferEncoding, .upgrade, .te, .trailer, .keepAlive, .proxyConnection,
            .expect, .http2Settings, .secWebSocketKey, .secWebSocketVersion:
            true
        default: false
        }
    }

    /// Whether these octets can name a field (RFC 9110, section 5.1).
    public static func isLegal(_ name: ByteView) -> Bool {
        guard name.count > 0, name.count <= HeadLimits.fieldNameOctets else { return false }
        for byte in name.indices where !OctetScan.isToken(name[byte]) { return false }
        return true
    }
}
