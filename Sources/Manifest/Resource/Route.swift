import Config
import Core

/// A route of any kind as written. Matches and the filters that name nothing are already in the words of the plan; what
/// refers to other resources waits to be resolved.
struct Route {
    var kind: RouteKind
    var parentRefs: [ParentReference] = []
    /// Lower case; empty: every host of the listener.
    var hostnames: [String] = []
    var rules: [Rule] = []
    /// `useDefaultGateways: All`.
    var usesDefaultGateways: Bool
    var node: WrittenNode

    struct Rule {
        var name: String
        var matches: [MatchPlan]
        var filters: [Filter]
        var backendRefs: [BackendReference]
        var requestTimeout: TimeAmount?
        var backendRequestTimeout: TimeAmount?
        var retry: RetryPlan?
        var sessionPersistence: WrittenNode
        /// Expressions that a match is made of and that are none (GRPCRoute, whose paths are put together).
        var badPatterns: [BadPattern] = []
        var node: WrittenNode
    }

    struct BadPattern {
        /// Index of the match in its rule.
        var match: Int
        var pattern: String
        var problem: String
        var node: WrittenNode
    }

    struct BackendReference {
        var reference: ObjectReference
        var weight: UInt32
        var filters: [Filter]
    }

    struct Filter {
        enum Action {
            case requestHeaders([HeaderEdit])
            case responseHeaders([HeaderEdit])
            case redirect(RedirectPlan)
            case rewrite(RewritePlan)
            case mirror(ObjectReference, numerator: UInt32, denominator: UInt32)
            case cors(CORSPlan)
            /// ExtensionRef to an HTTPRouteFilter, which is in the route's namespace.
            case extended(ObjectReference)
            /// ExtensionRef, ExternalAuth: what this version cannot do, as a message names it.
            case unsupported(String)
        }
        /// One edit of a header modifier, and where its field's name stands.
        struct HeaderEdit {
            var plan: HeaderEditPlan
            var node: WrittenNode
        }
        var action: Action
        var node: WrittenNode
    }

    /// - Parameter file: the number of its file in the plan.
    init(_ node: WrittenNode, kind: RouteKind, file: UInt32) {
        let spec = node[.spec]
        self.kind = kind
        usesDefaultGateways = spec[.useDefaultGateways].string == "All"
        self.node = node
        for item in spec[.parentRefs].items { parentRefs.append(ParentReference(item)) }
        for item in spec[.hostnames].items { if let name = item.string { hostnames.append(name.lowercased()) } }
        func rule(_ node: WrittenNode) -> Rule {
            switch kind {
            case .http: Rule(http: node, file: file)
            case .grpc: Rule(grpc: node, file: file)
            case .tls, .tcp, .udp: Rule(stream: node)
            }
        }
        for item in spec[.rules].items { rules.append(rule(item)) }
        // HTTPRoute's default: one rule that takes every path.
        if kind == .http, !spec[.rules].exists { rules.append(rule(spec[.rules])) }
    }
}

extension Route.Rule {
    /// What the rules of every kind have.
    init(empty node: WrittenNode) {
        self.node = node
        name = node[.name].string ?? ""
        matches = []
        filters = []
        backendRefs = []
        // Fields of other kinds are absent.
        sessionPersistence = node[.sessionPersistence]
    }

    /// One entry of an HTTPRoute's `rules`.
    init(http node: WrittenNode, file: UInt32) {
        self.init(empty: node)
        for item in node[.matches].items { matches.append(MatchPlan(http: item, file: file)) }
        if matches.isEmpty { matches = [MatchPlan(path: .prefix("/"), position: node.position(in: file))] }
        for item in node[.filters].items { filters.append(Route.Filter(item)) }
        for item in node[.backendRefs].items { backendRefs.append(Route.BackendReference(item)) }
        let timeouts = node[.timeouts]
        requestTimeout = timeouts[.request].string.flatMap { GatewayDuration.parse($0) }
        backendRequestTimeout = timeouts[.backendRequest].string.flatMap { GatewayDuration.parse($0) }
        retry = node[.retry].exists ? RetryPlan(node[.retry]) : nil
    }
}

extension Route.BackendReference {
    init(_ node: WrittenNode) {
        reference = ObjectReference(node)
        weight = node[.weight].integer.flatMap { UInt32(exactly: $0) } ?? 1
        filters = []
        for item in node[.filters].items { filters.append(Route.Filter(item)) }
    }
}

extension RetryPlan {
    /// `rules[].retry`. Without `codes` no answer is retried, only what got no answer at all: the field lists "the
    /// status codes for which a backend request should be retried", and none is listed.
    init(_ node: WrittenNode) {
        let attempts = node[.attempts].integer.map { Int(clamping: $0) } ?? RetryPlan.standardAttempts
        var codes: [UInt16] = []
        for item in node[.codes].items {
            if let code = item.integer.flatMap({ UInt16(exactly: $0) }) { codes.append(code) }
        }
        if let backoff = node[.backoff].string.flatMap({ GatewayDuration.parse($0) }) {
            self.init(codes: codes, attempts: attempts, backoff: backoff)
        } else {
            self.init(triggers: .route, codes: codes, attempts: attempts)
        }
    }
}
