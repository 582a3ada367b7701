import Core

/// What a policy applies to: `targetRef`, `targetRefs`, `targetSelectors`, and how policies on two levels merge.
struct PolicyTargets {
    /// The kinds that a policy of this kind may name.
    let kinds: [StaticString]
    /// Those of them that are routes, on which policies can be merged with their Gateway's; none where they cannot.
    var routeKinds: [StaticString] { kinds.filter { ByteView($0).hasSuffix(ByteView("Route")) } }

    /// Services too, by reference. Envoy Gateway's CRD refuses them, since Envoy Gateway has no traffic between services;
    /// this rule alone is relaxed.
    private let takesServices: Bool

    init(_ kinds: StaticString..., takesServices: Bool = false) {
        self.kinds = kinds
        self.takesServices = takesServices
    }

    static let group: StaticString = "gateway.networking.k8s.io"

    static let fields = [
        optional("targetRef", target), optional("targetRefs", .list(target)),
        optional("targetSelectors", .list(selector)),
    ]

    /// How a route's policy and its Gateway's become one; only routes' policies have it, and not by replacing.
    static let mergeType = optional("mergeType", Shape.string.with(rules: [notReplace]))

    var rules: [Rule] { [Self.oneWayToTarget, groupAndKind] }

    private static let target = Shape.object([
        required("group", .group), required("kind", .kind), required("name", .objectName),
        optional("sectionName", .sectionName),
    ])

    private static let selector = Shape.object(
        [
            optional("group", .group, default: group),
            required("kind", .kind),
            optional("matchLabels", .stringMap),
            optional(
                "matchExpressions",
                .list(
                    .object([required("key", .string), required("operator", .string), optional("values", .strings)]))),
            optional(
                "namespaces",
                .object(
                    [
                        optional("from", .choice("Same", "All", "Selector"), default: "Same"),
                        optional("selector", .labelSelector),
                    ], rules: [namespaceSelector])),
        ], rules: [selectorGroup])

    private static let notReplace: Rule = { type, report in
        if type.equals("Replace") { report.refuse(type, "Replace is not a valid mergeType of a policy; leave it out") }
    }

    private static let selectorGroup: Rule = { selector, report in
        if selector["group"].equals(group) { return }
        report.refuse(selector["group"], "group must be \(group)")
    }

    private static let namespaceSelector: Rule = { namespaces, report in
        guard namespaces["from"].equals("Selector"), !namespaces["selector"].exists else { return }
        report.refuse(namespaces, field: "selector", "selector must be specified when from is Selector")
    }

    private static let oneWayToTarget: Rule = { spec, report in
        if spec["targetSelectors"].count > 0 { return }
        let one = spec["targetRef"]
        let several = spec["targetRefs"]
        if one.exists, several.exists {
            report.refuse(one, "either targetRef or targetRefs must be used, not both; targetRefs takes this one too")
        }
        if !one.exists, !several.exists {
            report.refuse(
                spec, field: "targetRefs", "targetRefs or targetSelectors must be used: the policy has no target")
        }
    }

    private var groupAndKind: Rule {
        let kinds = kinds
        let takesServices = takesServices
        return { spec, report in
            Self.eachReference(spec) { reference in
                if takesServices, reference["kind"].equals("Service"), reference["group"].text.isEmpty { return }
                if !reference["group"].equals(Self.group) {
                    report.refuse(
                        reference["group"], "this policy can only have targets of the group \(Self.group)")
                }
                if !kinds.contains(where: { reference["kind"].equals($0) }) {
                    let names = kinds.map(\.description).joined(separator: ", ")
                    report.refuse(
                        reference["kind"], "this policy can only have a target of a kind among \(names)")
                }
            }
        }
    }

    /// `field` goes only with targets of these kinds, however they are named.
    static func field(_ field: StaticString, onlyOn kinds: [StaticString]) -> Rule {
        { spec, report in
            guard spec[field].exists else { return }
            let names = kinds.map(\.description).joined(separator: ", ")
            func check(_ target: Node) {
                if kinds.contains(where: { target["kind"].equals($0) }) { return }
                report.refuse(
                    spec[field],
                    "\(field) can only be used with targets of the kinds \(names); one is a \(target["kind"].text.string)"
                )
            }
            eachReference(spec, check)
            for selector in spec["targetSelectors"].items { check(selector) }
        }
    }

    private static func eachReference(_ spec: Node, _ body: (Node) -> Void) {
        if spec["targetRef"].exists { body(spec["targetRef"]) }
        for reference in spec["targetRefs"].items { body(reference) }
    }
}
