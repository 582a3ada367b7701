import Core
import TLS

/// The two fields that prove in HTTP/1.1 that both sides mean WebSocket (RFC 6455, section 4). HTTP/2 has none (RFC 8441,
/// section 5.1), so who joins the two versions makes them.
public enum WebSocketHandshake {
    /// What a server answers to a client's `Sec-WebSocket-Key` (section 4.2.2).
    public static func accept(key: ByteView) -> String {
        var octets = ByteBuffer(capacity: key.count + 36)
        octets.append(key)
        octets.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        return Digest.sha1Base64(octets.view)
    }

    /// A `Sec-WebSocket-Key`: 16 octets of chance in base64 (section 4.1).
    public static func key(_ high: UInt64, _ low: UInt64) -> String {
        Digest.base64([high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } })
    }
}
