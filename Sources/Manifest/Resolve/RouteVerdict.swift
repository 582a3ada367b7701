/// What the rules of a route together make of its conditions.
struct RouteVerdict {
    private var rules = 0
    private var invalid: [RuleResolution.Problem] = []
    /// Parts of annotations that have no effect.
    private var refusedParts: [ReleaseAnnotations.Problem] = []
    private var unresolved: [RuleResolution.Problem] = []
    private var unavailable: [RuleResolution.Problem] = []

    mutating func add(_ rule: RuleResolution) {
        rules += 1
        if let problem = rule.invalid { invalid.append(problem) }
        if !rule.refusedParts.isEmpty { refusedParts += rule.refusedParts }
        if !rule.unresolved.isEmpty { unresolved += rule.unresolved }
        if !rule.unavailable.isEmpty { unavailable += rule.unavailable }
    }

    /// What is wrong with the route's annotations, whatever the rule.
    mutating func add(_ problems: [ReleaseAnnotations.Problem]) { refusedParts += problems }

    /// A route is accepted when at least one of its rules is served (RouteParentStatus.conditions).
    var isRefused: Bool { !invalid.isEmpty && invalid.count == rules }

    func tell(_ resource: LoadedResource, into findings: inout FindingLog) {
        for problem in invalid { findings.unresolved(resource, problem.node, problem.message) }
        for problem in unresolved { findings.unresolved(resource, problem.node, problem.message) }
        for problem in refusedParts {
            findings.append(
                Finding(
                    .unresolved, at: problem.location, resource: resource.identity, path: problem.node.path,
                    problem.message))
        }
        for problem in unavailable { findings.warning(resource, problem.node, problem.message) }
    }

    /// - Parameter refusal: why this parent does not take the route, whatever its rules.
    func conditions(refusal: ListenerState.Problem?) -> [Condition] {
        var conditions: [Condition] = []
        conditions.reserveCapacity(2)
        if let refusal {
            conditions.append(Condition(.accepted, false, refusal.reason, refusal.message))
        } else if isRefused, let first = invalid.first {
            conditions.append(Condition(.accepted, false, first.reason, Self.text(invalid)))
        } else {
            conditions.append(Condition(.accepted, true, .accepted, StatusMessage.routeAccepted))
        }
        if let first = unresolved.first {
            conditions.append(Condition(.resolvedRefs, false, first.reason, Self.text(unresolved)))
        } else {
            conditions.append(Condition(.resolvedRefs, true, .resolvedRefs, StatusMessage.referencesResolved))
        }
        if !isRefused, let first = invalid.first {
            conditions.append(Condition(.partiallyInvalid, true, first.reason, Self.text(invalid)))
        } else if !isRefused, let first = refusedParts.first {
            let more = refusedParts.count > 1 ? " (and \(refusedParts.count - 1) more)" : ""
            conditions.append(
                Condition(.partiallyInvalid, true, .unsupportedValue, "\(first.node.path): \(first.message)\(more)"))
        }
        if let first = unavailable.first {
            conditions.append(Condition(.backendsAvailable, false, first.reason, Self.text(unavailable)))
        }
        return conditions
    }

    /// The first problem with its place, and how many more there are.
    private static func text(_ problems: [RuleResolution.Problem]) -> String {
        guard let first = problems.first else { return "" }
        let more = problems.count > 1 ? " (and \(problems.count - 1) more)" : ""
        return "\(first.node.path): \(first.message)\(more)"
    }
}
