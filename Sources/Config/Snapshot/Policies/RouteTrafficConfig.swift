import Core

/// A ``RouteTrafficPlan`` in the block. A table has none or one where the plan is optional.
public struct RouteTrafficConfig: BitwiseCopyable, Sendable {
    /// The rule's place in the shared live state; kept for its identity (route, rule) as long as the family lives.
    public var slot: UInt32
    /// Of route and rule: what the slot is given for.
    public var identity: UInt64
    public var rateLimit: Table<RateLimitConfig>
    public var bandwidthLimit: Table<BandwidthLimitConfig>
    public var admissionControl: Table<AdmissionControlPlan>
    public var adaptiveConcurrency: Table<AdaptiveConcurrencyPlan>
    public var faultInjection = Table<FaultInjectionPlan>()
    public var requestBuffer = Table<RequestBufferPlan>()
    public var responseOverride = Table<ResponseOverrideConfig>()
    public var compression = Table<CompressorPlan>()
    public var httpUpgrade = Table<HTTPUpgradeConfig>()
    public var streamIdleTimeout = TimeLimitConfig.none
    public var maxStreamDuration = TimeLimitConfig.none
    /// ``HedgePlan/delay``; zero: none.
    public var hedgeDelay = TimeAmount.zero
    public var release = Table<ReleaseConfig>()
}

extension SnapshotWriter {
    /// - Parameters:
    ///   - identity: of route and rule.
    ///   - route: kind, namespace and name of the route.
    /// - Returns: none or one.
    mutating func write(
        _ plan: RouteTrafficPlan, identity: UInt64, route: String, slot: UInt32, release: Table<ReleaseConfig>
    ) -> Table<RouteTrafficConfig> {
        let rateLimit = plan.rateLimit.map { write($0, route: route) }
        let bandwidthLimit = plan.bandwidthLimit.map { write($0) }
        var config = RouteTrafficConfig(
            slot: slot, identity: identity, rateLimit: optional(rateLimit), bandwidthLimit: optional(bandwidthLimit),
            admissionControl: optional(plan.admissionControl), adaptiveConcurrency: optional(plan.adaptiveConcurrency))
        config.faultInjection = optional(plan.faultInjection)
        config.requestBuffer = optional(plan.requestBuffer)
        config.responseOverride = write(plan.responseOverride)
        config.compression = block.append(contentsOf: plan.compression)
        let upgrade = plan.httpUpgrade.map { HTTPUpgradeConfig(types: texts($0.types)) }
        config.httpUpgrade = optional(upgrade)
        config.streamIdleTimeout = write(plan.timeouts.streamIdle)
        config.maxStreamDuration = write(plan.timeouts.maxStreamDuration)
        config.hedgeDelay = plan.hedge?.delay ?? .zero
        config.release = release
        return block.append(contentsOf: [config])
    }

    /// A table of none or one.
    mutating func optional<Record: BitwiseCopyable>(_ record: Record?) -> Table<Record> {
        block.append(contentsOf: record.map { [$0] } ?? [])
    }
}
