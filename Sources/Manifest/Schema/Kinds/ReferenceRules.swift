import Core

/// Rules about references that several kinds share.
enum ReferenceRules {
    static let portOfService: Rule = { reference, report in
        guard reference["group"].text.isEmpty, reference["kind"].equals("Service"), !reference["port"].exists else {
            return
        }
        report.refuse(reference, field: "port", "is missing; a reference to a Service must have port")
    }

    /// Two references to one parent must differ in the section or the port that they name, and name the same of both.
    static let distinctParents: Rule = { parents, report in
        refuseOverlap(parents, sameTarget: isSameParent, told: "parentRefs", by: ["sectionName", "port"], &report)
    }

    /// The same for the targets of a policy, which have no port.
    static let distinctTargets: Rule = { targets, report in
        refuseOverlap(targets, sameTarget: isSameObject, told: "targetRefs", by: ["sectionName"], &report)
    }

    private static func refuseOverlap(
        _ list: Node, sameTarget: (Node, Node) -> Bool, told: StaticString, by keys: [StaticString],
        _ report: inout RuleReport
    ) {
        guard list.count > 1 else { return }
        let references = Array(list.items)
        let words = keys.map(\.description).joined(separator: " or ")
        for (later, reference) in references.enumerated().dropFirst() {
            for earlier in 0..<later where sameTarget(references[earlier], reference) {
                let other = references[earlier]
                if keys.contains(where: { reference[$0].exists != other[$0].exists }) {
                    report.refuse(
                        reference,
                        "\(words) must be specified in each when \(told) names the same target twice, here and in item \(earlier)"
                    )
                    break
                }
                if keys.allSatisfy({ reference[$0].text.equals(other[$0].text) }) {
                    report.refuse(
                        reference,
                        "\(words) must be unique when \(told) names the same target twice; this is item \(earlier) again"
                    )
                    break
                }
            }
        }
    }

    private static func isSameParent(_ a: Node, _ b: Node) -> Bool {
        isSameObject(a, b) && a["namespace"].text.equals(b["namespace"].text)
    }

    private static func isSameObject(_ a: Node, _ b: Node) -> Bool {
        a["name"].text.equals(b["name"].text) && a["kind"].text.equals(b["kind"].text)
            && a["group"].text.equals(b["group"].text)
    }

    /// Rules of a route, by name, where they have one.
    static let uniqueRuleNames: Rule = { rules, report in
        var seen: [String: Int] = [:]
        for (position, rule) in rules.items.enumerated() where rule["name"].exists {
            let name = rule["name"].text.string
            guard let first = seen.updateValue(position, forKey: name) else { continue }
            report.refuse(
                rule["name"], "the rule name '\(name)' must be unique within the route; rule \(first) has it already")
        }
    }
}
