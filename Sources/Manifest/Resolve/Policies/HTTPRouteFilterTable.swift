import Config

/// The HTTPRouteFilters of a set. Each is read when a rule first names it, and what cannot be done as it is written is told
/// there and then, at the filter.
struct HTTPRouteFilterTable {
    private let index: ResourceIndex
    private let grants: GrantTable
    private var plans: [Int: HTTPRouteFilterPlan] = [:]

    init(_ index: ResourceIndex, _ grants: GrantTable) {
        self.index = index
        self.grants = grants
    }

    /// What the filter means to a rule, or why the rule cannot have it.
    mutating func plan(
        _ name: ResourceName, findings: inout FindingLog
    ) -> Result<HTTPRouteFilterPlan, HTTPRouteFilterPlan.Refusal> {
        guard let number = index[.httpRouteFilter, name] else {
            return .failure(.init(message: "there is no HTTPRouteFilter '\(name)'", isMissing: true))
        }
        let known = plans[number]
        let plan = known ?? HTTPRouteFilterPlan(number, index, grants)
        if known == nil {
            plans[number] = plan
            for problem in plan.problems {
                findings.unresolved(index.resources[number], problem.node.nearest, problem.message)
            }
        }
        guard let first = plan.problems.first else { return .success(plan) }
        return .failure(
            .init(message: "of the HTTPRouteFilter '\(name)' \(first.node.path): \(first.message)"))
    }
}
