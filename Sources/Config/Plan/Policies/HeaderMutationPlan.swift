/// Edits of a head's fields as ClientTrafficPolicy has them (`headers.earlyRequestHeaders`, `lateResponseHeaders`). In this
/// order: `add`, `set`, `addIfAbsent`; then `remove` and `removeOnMatch`, which also undo what was added.
public struct HeaderMutationPlan: Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable { case add, set, addIfAbsent }

    public struct Addition: Equatable, Sendable {
        public var kind: Kind
        public var name: String
        public var value: String

        public init(_ kind: Kind, name: String, value: String) {
            self.kind = kind
            self.name = name
            self.value = value
        }
    }

    public var additions: [Addition] = []
    public var removals: [String] = []
    /// Of names, in lower case.
    public var removalMatches: [TextMatchPlan] = []

    public init() {}
    public var isEmpty: Bool { additions.isEmpty && removals.isEmpty && removalMatches.isEmpty }
}
