import Core

/// How far the release of one rule has come, for the status of its route: the condition `sluice.dev/Rollout`. It changes
/// while the set stays, so it is put into the statuses that a resolution has made.
package struct RolloutCondition: Equatable, Sendable {
    /// The later one speaks for a route with several.
    package enum Phase: Int, Sendable { case completed, progressing, holding, rolledBack }

    package var route: ResourceName
    package var phase: Phase
    package var message: String
    /// Wall clock, nanoseconds since 1970.
    package var since: Int64

    package init(route: ResourceName, phase: Phase, message: String, since: Int64) {
        self.route = route
        self.phase = phase
        self.message = message
        self.since = since
    }

    fileprivate var reason: ConditionReason {
        switch phase {
        case .completed: .completed
        case .progressing: .progressing
        case .holding: .holding
        case .rolledBack: .rolledBack
        }
    }
}

extension Resolution {
    /// Puts the rollouts of this moment into the statuses of their routes, in the place of those that were there.
    /// - Parameter date: a moment as RFC 3339 has it.
    package mutating func tell(_ rollouts: [RolloutCondition], date: (Int64) -> String) {
        guard !rollouts.isEmpty else { return }
        let byRoute = Dictionary(grouping: rollouts, by: \.route)
        for number in shown.indices where shown[number].kind == .httpRoute {
            guard case .route(var parents) = shown[number].status, let told = byRoute[name(of: number)],
                let worst = told.max(by: { $0.phase.rawValue < $1.phase.rawValue })
            else { continue }
            var condition = Condition(
                .rollout, worst.phase != .rolledBack, worst.reason, told.map(\.message).joined(separator: "; "))
            condition.lastTransitionTime = date(worst.since)
            for index in parents.indices {
                parents[index].conditions.removeAll { $0.type == .rollout }
                parents[index].conditions.append(condition)
            }
            shown[number].status = .route(parents)
        }
    }

    private func name(of number: Int) -> ResourceName {
        let metadata = shown[number].node[.metadata]
        let namespace = metadata[.namespace].text
        return ResourceName(
            namespace: namespace.isEmpty ? ResourceName.defaultNamespace : namespace.string,
            name: metadata[.name].text.string)
    }
}
