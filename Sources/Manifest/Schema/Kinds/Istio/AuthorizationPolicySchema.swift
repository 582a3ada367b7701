/// AuthorizationPolicy (security.istio.io/v1): who may call what.
enum AuthorizationPolicySchema {
    static let fields = [optional("spec", spec)]

    private static let spec = Shape.object(
        [
            optional("action", .choice("ALLOW", "DENY", "AUDIT", "CUSTOM")),
            optional("provider", .object([optional("name", .string)])),
            optional("rules", .list(rule, 0...512)),
            optional("selector", WorkloadShapes.selector),
            optional("targetRef", WorkloadShapes.targetReference),
            optional("targetRefs", .list(WorkloadShapes.targetReference, 0...16)),
        ], rules: [oneWayToTarget])

    private static let rule = Shape.object([
        optional("from", .list(.object([optional("source", source)]), 0...512)),
        optional("to", .list(.object([optional("operation", operation)]))),
        optional(
            "when",
            .list(
                .object([required("key", .string), optional("notValues", .strings), optional("values", .strings)]))),
    ])

    private static let source = Shape.object(
        [
            optional("ipBlocks", .strings), optional("namespaces", .strings), optional("notIpBlocks", .strings),
            optional("notNamespaces", .strings), optional("notPrincipals", .strings),
            optional("notRemoteIpBlocks", .strings), optional("notRequestPrincipals", .strings),
            optional("notServiceAccounts", serviceAccounts), optional("notTrustDomains", .strings),
            optional("principals", .strings), optional("remoteIpBlocks", .strings),
            optional("requestPrincipals", .strings), optional("serviceAccounts", serviceAccounts),
            optional("trustDomains", .strings),
        ], rules: [accountsAlone])

    private static let serviceAccounts = Shape.list(.text(0...320), 0...16)

    private static let operation = Shape.object([
        optional("hosts", .strings), optional("methods", .strings), optional("notHosts", .strings),
        optional("notMethods", .strings), optional("notPaths", .strings), optional("notPorts", .strings),
        optional("paths", .strings), optional("ports", .strings),
    ])

    private static let oneWayToTarget: Rule = { spec, report in
        let ways: [StaticString] = ["selector", "targetRef", "targetRefs"]
        let written = ways.filter { spec[$0].exists }
        guard written.count > 1 else { return }
        report.refuse(
            spec[written[1]], "only one of selector, targetRef and targetRefs can be set; leave the others out")
    }

    private static let accountsAlone: Rule = { source, report in
        let accounts: [StaticString] = ["serviceAccounts", "notServiceAccounts"]
        guard let account = accounts.first(where: { source[$0].exists }) else { return }
        let others: [StaticString] = ["principals", "notPrincipals", "namespaces", "notNamespaces"]
        for other in others where source[other].exists {
            report.refuse(
                source[other],
                "\(other) cannot be set beside \(account), which names namespaces itself; write one of them")
            return
        }
    }
}
