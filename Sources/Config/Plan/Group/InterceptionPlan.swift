/// How connections come to a listener that were meant for others (`sluice.dev/transparent`).
public enum Interception: UInt8, BitwiseCopyable, Sendable {
    /// None do: who comes here means the gateway.
    case none
    /// The kernel has rewritten their destination, and is asked for it (nftables `redirect`; SO_ORIGINAL_DST).
    case redirect
    /// They arrive as they were sent: our end of the connection has the address that was dialled (nftables `tproxy`;
    /// IP_TRANSPARENT).
    case tproxy
}
