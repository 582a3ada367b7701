/// A policy that is in force on a rule or a listener, for `explain`: which one, where it was written, and how it came there.
public struct AppliedPolicyPlan: Equatable, Sendable {
    public enum Role: Equatable, Sendable {
        /// It counts.
        case effective
        /// The effective one is merged into it.
        case base
        /// It cannot be translated, so what it applies to is refused; why.
        case refused(String)
    }
    /// "BackendTrafficPolicy", "ClientTrafficPolicy", "SecurityPolicy".
    public var kind: String
    /// `namespace/name`.
    public var name: String
    public var role: Role
    public var position: SourcePosition

    public init(kind: String, name: String, role: Role = .effective, position: SourcePosition = SourcePosition()) {
        self.kind = kind
        self.name = name
        self.role = role
        self.position = position
    }
}
