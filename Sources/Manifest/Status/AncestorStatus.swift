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

    /// Whether there is room for all of them; those past the limit are cut, and the last that is left says so.
    var cut: [AncestorStatus] {
        guard all.count > Self.limit else { return all }
        var kept = Array(all.prefix(Self.limit))
        kept[kept.count - 1].conditions.append(
            Condition(
                .aggregated, true, .aggregated,
                "\(all.count - Self.limit) more ancestors are not shown; a status holds \(Self.limit)"))
        return kept
    }
}
