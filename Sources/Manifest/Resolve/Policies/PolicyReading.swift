import Config
import Core

/// What is at hand while the fields of a policy are read, and where their problems are gathered. A policy with a problem
/// cannot be translated: its status says so, and its routes answer 500.
struct PolicyReading {
    struct Problem {
        var reason: ConditionReason
        var message: String
        /// The field, in the policy that wrote it.
        var node: PolicyNode
    }
    let index: ResourceIndex
    private(set) var problems: [Problem] = []

    init(index: ResourceIndex) { self.index = index }

    /// - Parameter message: what is wrong and what would be right, without the field's path, which is told before it.
    mutating func refuse(_ node: PolicyNode, _ message: String, reason: ConditionReason = .invalid) {
        problems.append(Problem(reason: reason, message: message, node: node))
    }

    /// Where a value was written, for the plan.
    func position(_ node: PolicyNode) -> SourcePosition {
        node.nearest.position(in: index.resources[node.policy].file)
    }

    /// The policy that a value comes from.
    func resource(_ node: PolicyNode) -> LoadedResource { index.resources[node.policy] }
}
