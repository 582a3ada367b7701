import Core

/// What policies may ask of a call, beside the fields of a request's head. The views are the caller's of this, who keeps
/// them valid while it is asked.
public struct AuthorizedCall {
    /// What a verified certificate says (SPIFFE id), with or without `spiffe://`; empty: there was none.
    public var principal = ByteView.empty
    /// Of the certificate, or of the workload at the caller's address; empty: unknown.
    public var namespace = ByteView.empty
    /// The service account of the certificate. What an address tells is no service account.
    public var account = ByteView.empty
    /// Of the connection.
    public var source = IPAddress.any
    /// Whose request it is, as the listener detects that; of connections, ``source``.
    public var client = IPAddress.any
    /// The address that the caller names; nil: it named none.
    public var destination: IPAddress?
    /// Of the member, or of the listener.
    public var port: UInt16 = 0
    /// What a ClientHello asked for; empty: nothing.
    public var serverName = ByteView.empty
    /// A request: what follows is there.
    public var isHTTP = false
    public var method = ByteView.empty
    /// Without port, and as sent.
    public var host = ByteView.empty
    public var authority = ByteView.empty
    /// Normalised, without query.
    public var path = ByteView.empty

    public init() {}

    public var isVerified: Bool { !principal.isEmpty }
    /// Without `spiffe://`.
    var identity: ByteView {
        let scheme = ByteView("spiffe://")
        return principal.hasPrefix(scheme) ? principal.from(scheme.count) : principal
    }
    var trustDomain: ByteView { identity.firstIndex(of: ASCII.slash).map { identity.upTo($0) } ?? identity }
}

/// What policies say of a call.
public struct AuthorizationVerdict: Equatable, BitwiseCopyable, Sendable {
    public enum Cause: UInt8, BitwiseCopyable, Sendable {
        /// No policy denies it, and none or one that allows it.
        case allowed
        /// A rule of a DENY policy.
        case rule
        /// There are ALLOW policies, and no rule of theirs holds: `policy` is the first of them.
        case noRule
        /// The caller had to show a certificate and has not.
        case unverified
    }
    public static let none: UInt32 = .max

    public var cause: Cause
    /// Index into ``SnapshotHeader/authorizationPolicies`` of the policy that decided, or ``none``.
    public var policy: UInt32
    /// Of its rules, or ``none``.
    public var rule: UInt32

    @inlinable public init(_ cause: Cause, policy: UInt32 = Self.none, rule: UInt32 = Self.none) {
        self.cause = cause
        self.policy = policy
        self.rule = rule
    }

    @inlinable public var isAllowed: Bool { cause == .allowed }
}
