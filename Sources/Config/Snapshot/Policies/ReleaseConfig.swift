import Core

/// What decides which backendRef of a rule a request goes to, beside the weights as written: persistence, a key, a rollout.
public struct ReleaseConfig: BitwiseCopyable, Sendable {
    /// None or one.
    public var persistence: Table<SessionPersistenceConfig>
    /// None or one.
    public var splitKey: Table<SplitKeyConfig>
    /// None or one.
    public var rollout: Table<RolloutConfig>
    /// For each backend of the rule a hash of its name, by which clients keep it. Two of one name are told apart by their
    /// order. No rule enters it: rules that share a cookie agree on who is who.
    public var backends: Table<UInt64>
}

/// A ``SessionPersistencePlan`` in the block.
public struct SessionPersistenceConfig: BitwiseCopyable, Sendable {
    public var carrier: SessionPersistencePlan.Carrier
    public var isPermanent: Bool
    public var name: TextRef
    public var path: TextRef
    /// Seconds; 0: never.
    public var absoluteTimeout: UInt32
    public var idleTimeout: UInt32
}

/// A ``SplitKeyPlan`` in the block.
public struct SplitKeyConfig: BitwiseCopyable, Sendable {
    public var source: SplitKeyPlan.Source
    public var name: TextRef
    /// Of the rule: the users that one rule sends to its canary are not those of every other rule.
    public var salt: UInt64
}

/// A ``RolloutPlan`` in the block, as far as workers need it: they read the canary's share in the live state, in the place
/// of the canary's backendRef.
public struct RolloutConfig: BitwiseCopyable, Sendable {
    /// Indices into the rule's backends.
    public var canary: UInt32
    public var stable: UInt32
    /// Places in the live state; 0: there was none left, and the weights as written hold.
    public var canarySlot: UInt32
    public var stableSlot: UInt32
    /// Thousandths, as long as the live state says nothing of this text.
    public var firstShare: UInt32
    public var specHash: UInt64
    public var identity: UInt64
}

extension SnapshotWriter {
    /// - Parameters:
    ///   - identity: of route and rule.
    ///   - names: of the rule's backends.
    ///   - slots: theirs in the live state, in the same order.
    /// To be called for plans that ``RouteTrafficPlan/decidesBackends``.
    mutating func write(
        releaseOf plan: RouteTrafficPlan, identity: UInt64, backends names: [String], slots: [UInt32]
    ) -> Table<ReleaseConfig> {
        let persistence = plan.sessionPersistence.map {
            SessionPersistenceConfig(
                carrier: $0.carrier, isPermanent: $0.isPermanent, name: text($0.name), path: text($0.path),
                absoluteTimeout: $0.absoluteTimeout, idleTimeout: $0.idleTimeout)
        }
        let splitKey = plan.splitKey.map {
            SplitKeyConfig(source: $0.source, name: text($0.name), salt: identity)
        }
        let rollout = plan.rollout.flatMap { plan -> RolloutConfig? in
            guard slots.indices.contains(plan.canary), slots.indices.contains(plan.stable) else { return nil }
            let (canary, stable) = (slots[plan.canary], slots[plan.stable])
            guard canary != 0, stable != 0 else { return nil }
            return RolloutConfig(
                canary: UInt32(plan.canary), stable: UInt32(plan.stable), canarySlot: canary, stableSlot: stable,
                firstShare: plan.steps[0], specHash: plan.specHash, identity: identity)
        }
        var identities: [UInt64] = []
        for (i, name) in names.enumerated() {
            var hash = IdentityHash()
            hash.add(name)
            hash.add(names[..<i].reduce(0) { $1 == name ? $0 + 1 : $0 })
            identities.append(hash.value)
        }
        let config = ReleaseConfig(
            persistence: optional(persistence), splitKey: optional(splitKey), rollout: optional(rollout),
            backends: block.append(contentsOf: identities))
        return block.append(contentsOf: [config])
    }
}
