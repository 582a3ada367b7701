import Core
import HTTP

/// A ``RateLimitPlan`` in the block.
public struct RateLimitConfig: BitwiseCopyable, Sendable {
    public var local: Table<RateLimitRuleConfig>
    public var global: Table<RateLimitRuleConfig>
    /// Some rule counts when the response is over.
    public var chargesResponses: Bool
}

public struct RateLimitRuleConfig: BitwiseCopyable, Sendable {
    /// Of policy, route (unless it is shared), selectors and unit, and not of its place in the list or of the limit: under
    /// which it goes on counting over reloads.
    public var identity: UInt64
    /// The same in words, for a counter that several gateways share.
    public var key: TextRef
    /// `namespace/name` of the policy.
    public var policy: TextRef
    public var selectors: Table<RateLimitSelectorConfig>
    public var requests: UInt32
    public var requestCost: UInt32
    public var responseCost: UInt32
    public var unit: TimeAmount
    public var isShadow: Bool
    /// Values of the request tell its buckets apart.
    public var isDistinct: Bool
    public var fields: RateLimitRulePlan.Fields
    public var position: SourcePosition
}

public struct RateLimitSelectorConfig: BitwiseCopyable, Sendable {
    public var headers: Table<RateLimitValueConfig>
    public var queryParams: Table<RateLimitValueConfig>
    public var methods: Table<RateLimitMethodConfig>
    /// None or one.
    public var path: Table<RateLimitPathConfig>
    /// None or one.
    public var source: Table<RateLimitSourceConfig>
}

public struct RateLimitValueConfig: BitwiseCopyable, Sendable {
    public var name: TextRef
    public var fieldName: FieldName  // `other`: compare the octets.
    public var kind: RateLimitSelectorPlan.ValueKind
    public var value: TextRef
    public var pattern: UInt32  // For regular expressions.
    public var isInverted: Bool
}

public struct RateLimitMethodConfig: BitwiseCopyable, Sendable {
    public var value: TextRef
    public var isInverted: Bool
}

public struct RateLimitPathConfig: BitwiseCopyable, Sendable {
    public var kind: RateLimitSelectorPlan.PathKind
    public var value: TextRef
    public var pattern: UInt32  // For regular expressions.
    public var isInverted: Bool
}

public struct RateLimitSourceConfig: BitwiseCopyable, Sendable {
    public var range: AddressRange
    public var isDistinct: Bool
    public var isInverted: Bool
}

extension SnapshotWriter {
    /// - Parameter route: kind, namespace and name of the route, which has buckets of its own.
    mutating func write(_ plan: RateLimitPlan, route: String) -> RateLimitConfig {
        var taken: [UInt64: Int] = [:]
        let local = plan.local.map { write($0, scope: "local", route, &taken) }
        let global = plan.global.map { write($0, scope: "global", route, &taken) }
        return RateLimitConfig(
            local: block.append(contentsOf: local), global: block.append(contentsOf: global),
            chargesResponses: plan.global.contains { $0.responseCost > 0 })
    }

    private mutating func write(
        _ plan: RateLimitRulePlan, scope: String, _ route: String, _ taken: inout [UInt64: Int]
    ) -> RateLimitRuleConfig {
        var selection = IdentityHash()
        for selector in plan.selectors { selection.add(selector) }
        selection.add(plan.unit.nanoseconds)
        // Two rules that select alike are told apart by their order.
        let place = taken[selection.value, default: 0]
        taken[selection.value] = place + 1
        if place > 0 { selection.add(place) }

        let target = plan.isShared ? "" : route
        let key = "sluice|\(plan.policy)|\(target)|\(String(selection.value, radix: 16))"
        var identity = IdentityHash()
        identity.add(scope)
        identity.add(key)
        return RateLimitRuleConfig(
            identity: identity.value, key: text(key), policy: text(plan.policy),
            selectors: write(plan.selectors), requests: plan.requests, requestCost: plan.requestCost,
            responseCost: plan.responseCost, unit: plan.unit, isShadow: plan.isShadow,
            isDistinct: plan.selectors.contains(where: \.isDistinct), fields: plan.fields, position: plan.position)
    }

    private mutating func write(_ plans: [RateLimitSelectorPlan]) -> Table<RateLimitSelectorConfig> {
        let configs = plans.map { plan in
            let methods = plan.methods.map { RateLimitMethodConfig(value: text($0.value), isInverted: $0.isInverted) }
            let path = plan.path.map {
                RateLimitPathConfig(
                    kind: $0.kind, value: text($0.value),
                    pattern: $0.kind == .regularExpression ? pattern($0.value) : 0, isInverted: $0.isInverted)
            }
            let source = plan.source.map {
                RateLimitSourceConfig(range: $0.range, isDistinct: $0.isDistinct, isInverted: $0.isInverted)
            }
            return RateLimitSelectorConfig(
                headers: write(plan.headers, areHeaders: true), queryParams: write(plan.queryParams, areHeaders: false),
                methods: block.append(contentsOf: methods), path: optional(path),
                source: optional(source))
        }
        return block.append(contentsOf: configs)
    }

    private mutating func write(
        _ plans: [RateLimitSelectorPlan.Value], areHeaders: Bool
    ) -> Table<RateLimitValueConfig> {
        let configs = plans.map {
            RateLimitValueConfig(
                name: text($0.name), fieldName: areHeaders ? fieldName($0.name) : .other, kind: $0.kind,
                value: text($0.value), pattern: $0.kind == .regularExpression ? pattern($0.value) : 0,
                isInverted: $0.isInverted)
        }
        return block.append(contentsOf: configs)
    }
}

extension RateLimitSelectorPlan {
    /// It has a bucket for each value, or for each client.
    fileprivate var isDistinct: Bool {
        source?.isDistinct == true || headers.contains { $0.kind == .distinct }
            || queryParams.contains { $0.kind == .distinct }
    }
}

extension IdentityHash {
    fileprivate mutating func add(_ selector: RateLimitSelectorPlan) {
        for (mark, values) in [("headers", selector.headers), ("queryParams", selector.queryParams)] {
            add(mark)
            for value in values {
                add(value.name)
                add(value.kind.rawValue)
                add(value.value)
                add(value.isInverted ? UInt8(1) : 0)
            }
        }
        add("methods")
        for method in selector.methods {
            add(method.value)
            add(method.isInverted ? UInt8(1) : 0)
        }
        add("path")
        if let path = selector.path {
            add(path.kind.rawValue)
            add(path.value)
            add(path.isInverted ? UInt8(1) : 0)
        }
        add("sourceCIDR")
        if let source = selector.source {
            add(source.range.base.high)
            add(source.range.base.low)
            add(source.range.prefixLength)
            add(source.isDistinct ? UInt8(1) : 0)
            add(source.isInverted ? UInt8(1) : 0)
        }
    }
}
