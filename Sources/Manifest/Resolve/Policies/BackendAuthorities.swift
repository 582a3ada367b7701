import Config

/// `caCertificateRefs` and `wellKnownCACertificates` of whoever says how backends are checked: whom to trust, and what is
/// wrong with the references.
struct BackendAuthorities {
    /// Nil: nobody, so nothing may be sent.
    var trust: UpstreamTLSPlan.Trust?
    /// The first reference that leads nowhere.
    var problem: RuleResolution.Problem?

    /// The only set of well-known certificates there is.
    static let systemSet = "System"

    /// - Parameters:
    ///   - references: of a `kind` in `home`.
    ///   - node: where the well-known set is written.
    init(
        _ references: [ObjectReference], wellKnown: String?, _ node: WrittenNode, from kind: String, in home: String,
        _ authorities: AuthorityTable
    ) {
        guard !references.isEmpty else {
            if wellKnown == Self.systemSet {
                trust = .system
            } else {
                problem = .init(
                    reason: .invalid,
                    message: "no set of authorities is called '\(wellKnown ?? "")' here; '\(Self.systemSet)' is",
                    node: node)
            }
            return
        }
        var usable: [String] = []
        for reference in references {
            switch authorities.resolve(reference, from: kind, in: home, for: .backends) {
            case .success(let text): usable.append(text)
            case .failure(let refusal):
                let reason: ConditionReason =
                    switch refusal.cause {
                    case .notPermitted: .refNotPermitted
                    case .kind: .invalidKind
                    case .reference: .invalidCACertificateRef
                    }
                if problem == nil { problem = .init(reason: reason, message: refusal.message, node: reference.node) }
            }
        }
        if !usable.isEmpty { trust = .bundle(usable.joined()) }
    }
}
