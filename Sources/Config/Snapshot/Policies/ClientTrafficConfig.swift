import Core
import HTTP

/// A ``ClientTrafficPlan`` in the block.
public struct ClientTrafficConfig: BitwiseCopyable, Sendable {
    public var connection: ClientConnectionPlan
    public var request: ClientRequestPlan
    public var clientIP: ClientIPConfig
    public var earlyRequestHeaders: HeaderMutationConfig
    public var lateResponseHeaders: HeaderMutationConfig
    public var ignoredUpgradeTypes: Table<TextMatchConfig>
    public var healthCheckPath: TextRef
    public var defaultHost: TextRef
    public var isInvalid: Bool
    /// Some part of it is asked before each request is routed; false: none is, beyond the timeouts.
    public var looksAtHeads: Bool
}

/// Of all listeners of a socket together, what their policies say of connections about which nothing is known yet.
public struct SocketClientConfig: BitwiseCopyable, Sendable {
    public static let none: UInt32 = .max
    /// Some listener of the socket has a policy.
    public var hasPolicies: Bool
    /// The listener whose policy holds from the first octet on: clear-text HTTP, on which all listeners of a socket agree,
    /// and TCP. `none`: nobody's; within TLS the server name tells whose connection it is.
    public var listener: UInt32
    /// The shortest that any listener sets.
    public var inspectionTimeout: TimeoutPlan
    public var handshakeTimeout: TimeoutPlan
    /// The smallest that any listener sets; 0: as many as wait; below zero: nobody sets it.
    public var acceptsPerEvent: Int32

    /// - Parameter firstListener: the number of the socket's first listener in the snapshot.
    init(_ plan: SocketPlan, firstListener: UInt32) {
        hasPolicies = false
        listener = Self.none
        inspectionTimeout = TimeoutPlan()
        handshakeTimeout = TimeoutPlan()
        acceptsPerEvent = -1
        for (number, each) in plan.listeners.enumerated() where !each.client.isEmpty {
            hasPolicies = true
            if !each.listenerProtocol.beginsWithTLS, listener == Self.none { listener = firstListener + UInt32(number) }
            let connection = each.client.connection
            inspectionTimeout = Self.shorter(inspectionTimeout, connection.inspectionTimeout)
            handshakeTimeout = Self.shorter(handshakeTimeout, connection.handshakeTimeout)
            if connection.acceptsPerEvent >= 0 {
                let isFewer =
                    acceptsPerEvent < 0
                    || connection.acceptsPerEvent != 0
                        && (acceptsPerEvent == 0 || connection.acceptsPerEvent < acceptsPerEvent)
                if isFewer { acceptsPerEvent = connection.acceptsPerEvent }
            }
        }
    }

    private static func shorter(_ a: TimeoutPlan, _ b: TimeoutPlan) -> TimeoutPlan {
        guard a.isSet else { return b }
        return b.isSet && b.over(.forever) < a.over(.forever) ? b : a
    }
}

public struct ClientIPConfig: BitwiseCopyable, Sendable {
    public var method: ClientIPPlan.Method
    public var numTrustedHops: UInt32
    public var trustedCIDRs: Table<AddressRange>
    public var headerName: TextRef
    public var failsClosed: Bool
    public var appendsForwardedFor: Bool
}

public struct HeaderMutationConfig: BitwiseCopyable, Sendable {
    public var additions: Table<HeaderAdditionConfig>
    public var removals: Table<TextRef>
    public var removalMatches: Table<TextMatchConfig>

    @inlinable public var isEmpty: Bool { additions.isEmpty && removals.isEmpty && removalMatches.isEmpty }
}

public struct HeaderAdditionConfig: BitwiseCopyable, Sendable {
    public var kind: HeaderMutationPlan.Kind
    public var name: TextRef
    public var value: TextRef
}

/// A ``TextMatchPlan`` in the block.
public struct TextMatchConfig: BitwiseCopyable, Sendable {
    public var kind: TextMatchPlan.Kind
    public var value: TextRef
    /// For regular expressions: its number among ``SnapshotHeader/patterns``.
    public var pattern: UInt32
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: ClientTrafficPlan) -> Table<ClientTrafficConfig> {
        let ip = ClientIPConfig(
            method: plan.clientIP.method, numTrustedHops: plan.clientIP.numTrustedHops,
            trustedCIDRs: block.append(contentsOf: plan.clientIP.trustedCIDRs),
            headerName: text(plan.clientIP.headerName), failsClosed: plan.clientIP.failsClosed,
            appendsForwardedFor: plan.clientIP.appendsForwardedFor)
        let standard = ClientTrafficPlan()
        let config = ClientTrafficConfig(
            connection: plan.connection, request: plan.request, clientIP: ip,
            earlyRequestHeaders: write(plan.earlyRequestHeaders), lateResponseHeaders: write(plan.lateResponseHeaders),
            ignoredUpgradeTypes: write(plan.ignoredUpgradeTypes), healthCheckPath: text(plan.healthCheckPath),
            defaultHost: text(plan.defaultHost), isInvalid: plan.isInvalid,
            looksAtHeads: plan.clientIP != standard.clientIP || !plan.earlyRequestHeaders.isEmpty
                || !plan.ignoredUpgradeTypes.isEmpty || !plan.healthCheckPath.isEmpty || !plan.defaultHost.isEmpty
                || plan.isInvalid || plan.request.withUnderscoresAction != .allow)
        return block.append(contentsOf: [config])
    }

    private mutating func write(_ plan: HeaderMutationPlan) -> HeaderMutationConfig {
        let additions = plan.additions.map {
            HeaderAdditionConfig(kind: $0.kind, name: text($0.name), value: text($0.value))
        }
        return HeaderMutationConfig(
            additions: block.append(contentsOf: additions), removals: texts(plan.removals),
            removalMatches: write(plan.removalMatches))
    }

    mutating func write(_ plans: [TextMatchPlan]) -> Table<TextMatchConfig> {
        let configs = plans.map {
            TextMatchConfig(
                kind: $0.kind, value: text($0.value),
                pattern: $0.kind == .regularExpression ? pattern($0.value) : 0)
        }
        return block.append(contentsOf: configs)
    }
}
