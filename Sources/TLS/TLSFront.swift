import Core

/// Who answers at an address that several listeners share: the choice of settings by the name that a client asks for.
/// It is made before OpenSSL has seen an octet, so that everything of the chosen context is in force.
public final class TLSFront {
    let choose: (ByteView?) -> TLSContext?

    /// - Parameter choose: gets the name (lower case; valid during the call only), or nil when none was given. Nil
    ///   refuses the handshake with an unrecognized_name alert (RFC 6066, section 3).
    public init(choose: @escaping (ByteView?) -> TLSContext?) { self.choose = choose }
}
