extension ClusterConfig {
    /// Of destinations that no manifest names (`sluice.dev/egress: allow`): octets as they come, without any policy.
    public static let asAsked = ClusterConfig(
        name: TextRef(), identity: 0x6173_2D61_736B_6564, backendProtocol: .opaque, proxyProtocol: .none, tls: Table(),
        tunnel: Table(), authority: TextRef(), traffic: Table(), slot: 0, isFallback: false, dynamicResolver: Table(),
        fallback: FallbackConfig(nil), endpoints: Table())
}
