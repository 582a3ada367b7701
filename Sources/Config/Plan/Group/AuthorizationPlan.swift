import Core

/// What decides whether a call of one place is served: of a member's port, or of a listener. Istio's AuthorizationPolicies
/// and PeerAuthentications, as far as they are for it.
public struct AuthorizationPlan: Equatable, Sendable {
    /// Indices into ``GatewayPlan/authorizationPolicies``, in the order in which they are asked and told.
    public var policies: [Int] = []
    /// Callers must have shown a certificate that was verified (PeerAuthentication, `STRICT`).
    public var strict: StrictPlan?
    /// The namespace of a caller that is known by its address alone counts as if a certificate said so
    /// (`sluice.dev/trust-addresses`).
    public var trustsAddresses = false

    public init() {}
    /// Every call is served.
    public var isEmpty: Bool { policies.isEmpty && strict == nil }
}

/// Who asks for mutual TLS.
public struct StrictPlan: Equatable, Sendable {
    /// `namespace/name` of the PeerAuthentication.
    public var policy: String
    /// Where it says `STRICT`.
    public var position: SourcePosition

    public init(policy: String, position: SourcePosition) {
        self.policy = policy
        self.position = position
    }
}

/// One AuthorizationPolicy.
public struct AuthorizationPolicyPlan: Equatable, Sendable {
    public enum Action: UInt8, BitwiseCopyable, Sendable {
        case allow, deny
        /// Calls that a rule holds for are counted and told of; nothing is decided.
        case audit
    }

    /// `namespace/name`.
    public var name: String
    public var action: Action
    /// Asked, logged and counted, never obeyed (`istio.io/dry-run`).
    public var isDryRun = false
    /// One that holds is enough. None: nothing is ever matched, so that ALLOW allows nothing.
    public var rules: [AuthorizationRulePlan] = []
    public var position = SourcePosition()

    public init(name: String, action: Action) {
        self.name = name
        self.action = action
    }
}

/// One entry of `rules`: one of the sources, one of the operations and all conditions must hold.
public struct AuthorizationRulePlan: Equatable, Sendable {
    /// All predicates of a source must hold. No source at all: any.
    public var sources: [[AuthorizationPredicatePlan]] = []
    public var operations: [[AuthorizationPredicatePlan]] = []
    public var conditions: [AuthorizationPredicatePlan] = []
    /// A part of an ALLOW rule cannot be asked: nothing is allowed by it.
    public var neverHolds = false
    public var position = SourcePosition()

    public init() {}

    /// Every predicate, wherever it stands.
    public var predicates: [AuthorizationPredicatePlan] {
        sources.flatMap { $0 } + operations.flatMap { $0 } + conditions
    }
}

/// What is asked of one attribute of a call: it is one of the values, or it is none of them.
public struct AuthorizationPredicatePlan: Equatable, Sendable {
    public enum Attribute: UInt8, BitwiseCopyable, Sendable {
        /// `ipBlocks`, `source.ip`: who is at the other end of the connection.
        case sourceAddress
        /// `remoteIpBlocks`, `remote.ip`: whose request it is, as the listener detects that.
        case clientAddress
        /// `namespaces`, `source.namespace`.
        case sourceNamespace
        /// `principals`, `source.principal`: the SPIFFE id without `spiffe://`.
        case sourcePrincipal
        /// `serviceAccounts`, `source.serviceAccount`: `namespace/name`.
        case sourceServiceAccount
        /// `trustDomains`, `source.trustDomain`.
        case sourceTrustDomain
        /// `request.headers[NAME]`.
        case header
        /// `destination.ip`: the address that the caller names.
        case destinationAddress
        /// `ports`, `destination.port`.
        case destinationPort
        /// `connection.sni`.
        case serverName
        /// `hosts`.
        case host
        /// `methods`.
        case method
        /// `paths`.
        case path

        /// Only a request has it.
        @inlinable public var isOfHTTP: Bool { self == .header || self == .host || self == .method || self == .path }
        /// It says who the caller is, which only a certificate shows.
        @inlinable public var isIdentity: Bool {
            switch self {
            case .sourceNamespace, .sourcePrincipal, .sourceServiceAccount, .sourceTrustDomain: true
            default: false
            }
        }
    }

    public var attribute: Attribute
    /// Of ``Attribute/header``, in lower case.
    public var name = ""
    /// `not…`: none of the values.
    public var isNegated: Bool
    public var values: [AuthorizationValuePlan]

    public init(_ attribute: Attribute, name: String = "", isNegated: Bool = false, _ values: [AuthorizationValuePlan])
    {
        self.attribute = attribute
        self.name = name
        self.isNegated = isNegated
        self.values = values
    }
}

/// One value of a predicate.
public struct AuthorizationValuePlan: Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        case exact, prefix, suffix
        /// `*`: it is there, and not empty.
        case any
        /// A path with `{*}` (one segment) and `{**}` (any number of them).
        case template
        /// Stars anywhere.
        case glob
        case range, port
    }
    public var kind: Kind
    /// Without the star of a prefix or suffix.
    public var text = ""
    public var range: AddressRange?
    public var port: UInt16 = 0

    public init(_ kind: Kind, _ text: String = "") {
        self.kind = kind
        self.text = text
    }

    public init(range: AddressRange) {
        kind = .range
        self.range = range
    }

    public init(port: UInt16) {
        kind = .port
        self.port = port
    }

    /// A value as Istio has it: exact, `prefix*`, `*suffix`, or `*` for any. A star elsewhere is a star.
    public init(pattern: String) {
        if pattern == "*" {
            self.init(.any)
        } else if pattern.hasPrefix("*") {
            self.init(.suffix, String(pattern.dropFirst()))
        } else if pattern.hasSuffix("*") {
            self.init(.prefix, String(pattern.dropLast()))
        } else {
            self.init(.exact, pattern)
        }
    }
}
