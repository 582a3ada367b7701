/// Envoy Gateway's StringMatch: how a text is compared with another.
public struct TextMatchPlan: Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable { case exact, prefix, suffix, regularExpression }
    public var kind: Kind
    /// Never empty.
    public var value: String

    public init(kind: Kind, value: String) {
        self.kind = kind
        self.value = value
    }
}
