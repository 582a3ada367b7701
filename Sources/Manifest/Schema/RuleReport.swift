/// Where a ``Rule`` says what is wrong. It becomes a finding with the value's place and path.
struct RuleReport {
    struct Entry {
        var node: Node
        var field: String?
        var message: String
    }

    private(set) var entries: [Entry] = []

    /// `node` breaks a rule.
    /// - Parameters:
    ///   - field: the field of `node` that is missing or wrong, when `node` itself is not what is meant.
    ///   - message: what is wrong; what would be right.
    mutating func refuse(_ node: Node, field: StaticString? = nil, _ message: String) {
        entries.append(Entry(node: node, field: field?.description, message: message))
    }

    mutating func removeAll() { entries.removeAll(keepingCapacity: true) }
}
