/// What one ancestor says of a policy (Gateway API, PolicyAncestorStatus).
package struct AncestorStatus: Equatable, Sendable {
    /// The parent that the policy works through: a Gateway or a ListenerSet, or one listener of it.
    package struct Reference: Hashable, Sendable {
        package var kind: String
        package var name: ResourceName
        package var sectionName: String?
        package var port: UInt16?

        package init(kind: String, name: ResourceName, sectionName: String? = nil, port: UInt16? = nil) {
            self.kind = kind
            self.name = name
            self.sectionName = sectionName
            self.port = port
        }
    }
    package var reference: Reference
    package var conditions: [Condition]
}

extension AncestorStatus {
    /// Whose conditions are kept when there is no room for all; the lower the more.
    fileprivate var urgency: Int {
        if conditions.contains(where: { $0.type == .accepted && !$0.isTrue }) { return 0 }
        return conditions.contains { $0.type == .overridden && $0.isTrue } ? 1 : 2
    }
}

/// The statuses of one policy while a set is resolved: an ancestor each, in the order in which they were met.
struct AncestorStatuses {
    /// `status.ancestors` may have this many (PolicyStatus.ancestors).
    private static let limit = 16

    private(set) var all: [AncestorStatus] = []

    /// Sets a condition of an ancestor, in place of an earlier one of its type.
    mutating func set(_ condition: Condition, at reference: AncestorStatus.Reference) {
        guard let place = all.firstIndex(where: { $0.reference == reference }) else {
            all.append(AncestorStatus(reference: reference, conditions: [condition]))
            return
        }
        if let known = all[place].conditions.firstIndex(where: { $0.type == condition.type }) {
            all[place].conditions[known] = condition
        } else {
            all[place].conditions.append(condition)
        }
    }

    /// Whether an ancestor has a condition of this type.
    func has(_ type: ConditionType, at reference: AncestorStatus.Reference) -> Bool {
        all.first { $0.reference == reference }?.conditions.contains { $0.type == type } ?? false
    }

    /// All of them while there is room. Past the limit those are kept that somebody must know of, what is refused before
    /// what is overridden, then by name; and the last that is left says that it is not the last.
    var cut: [AncestorStatus] {
        guard all.count > Self.limit else { return all }
        let order = all.enumerated().sorted { a, b in
            let (first, second) = (a.element, b.element)
            if first.urgency != second.urgency { return first.urgency < second.urgency }
            if first.reference.name != second.reference.name { return first.reference.name < second.reference.name }
            return a.offset < b.offset
        }
        var kept = order.prefix(Self.limit).map(\.element)
        kept[kept.count - 1].conditions.append(
            Condition(
                .aggregated, true, .aggregated,
                "\(all.count - Self.limit) more ancestors are not shown; a status holds \(Self.limit)"))
        return kept
    }
}
