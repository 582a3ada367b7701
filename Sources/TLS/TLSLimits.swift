/// What a TLS connection may hold and take, in octets unless it says otherwise.
public enum TLSLimits {
    /// Plaintext of one record (RFC 8446, section 5.1).
    public static let record = 16 * 1024
    /// What encryption can add to a record: header, content type, tag, explicit nonce; rounded up.
    public static let recordOverhead = 64
    /// ``TLSSession/write(_:)`` takes nothing that would bring ``TLSSession/pending`` above this: four full records.
    public static let pending = 4 * (record + recordOverhead)
    /// What the library itself may leave in ``TLSSession/pending`` (handshakes, alerts, answers to key updates). A peer
    /// that makes us say more than this without reading it is cut off.
    public static let pendingAtMost = 256 * 1024
    /// A ClientHello, its handshake header included. Real ones are below 2 KiB; with post-quantum key shares below 4.
    public static let clientHello = 16 * 1024
    /// What the records' headers may add to a ClientHello that a peer cut into many records.
    public static let clientHelloRecords = 4 * 1024
    /// A peer's certificates, all together: what OpenSSL allows by default, written down.
    public static let peerCertificates = 100 * 1024
    /// Certificates above a leaf.
    public static let chainDepth = 10
    /// How long a ticket may be used, in seconds. Less than the keys' rotation, so that keys never decide.
    public static let resumptionSeconds = 2 * 60 * 60
}
