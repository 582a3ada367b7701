import Config
import Core

/// Decides what a valid set of manifests means: references, attachment, conflicts, statuses, and the plan.
package enum Resolver {
    /// - Parameters:
    ///   - previous: what the last resolution in this process left; empty at the start.
    ///   - bindFailures: sockets of an earlier plan of the same set that could not be bound. They change statuses and
    ///     findings, never the plan.
    ///   - now: RFC 3339, UTC.
    ///   - readFile: the octets of a file that a manifest names, or nil.
    ///   - fileProblem: why a file cannot be read; nil: it is not known.
    package static func resolve(
        _ set: ManifestSet, previous: ResolveMemory = ResolveMemory(),
        bindFailures: [ListeningAddress: BindFailure] = [:], now: String,
        readFile: @escaping (String) -> [UInt8]? = ReferencedFile.read,
        fileProblem: @escaping (String) -> String? = ReferencedFile.problem
    ) -> Resolution {
        var findings = FindingLog()
        let index = ResourceIndex(set, findings: &findings)
        FieldSupport.tell(index, findings: &findings)
        OwnNames.tell(index, findings: &findings)
        let grants = GrantTable(index)
        tellClasses(index, findings: &findings)
        let namespaces = NamespaceTable(index)
        let (gateways, foreign) = findGateways(index, findings: &findings)
        if gateways.isEmpty { findings.append(noGateway(set, index)) }
        let listenerSets = ListenerSetState.find(
            index, gateways: gateways, namespaces: namespaces, foreign: foreign, findings: &findings)
        for listenerSet in listenerSets { listenerSet.gateway.listenerSets.append(listenerSet) }

        let groups = GroupTable(index, gateways, foreign: foreign, findings: &findings)

        let files = FollowedFiles(readFile, problem: fileProblem)
        let seconds = (now.withView { Timestamp.nanoseconds($0) } ?? 0) / 1_000_000_000
        var tls = ListenerTLS(
            certificates: CertificateTable(
                index: index, grants: grants, now: seconds, files: files, previous: previous.certificates),
            authorities: AuthorityTable(index: index, grants: grants, now: seconds, files: files))
        for gateway in gateways { tls.resolve(gateway, findings: &findings) }
        let targets = PolicyTargetTable(index: index, namespaces: namespaces, grants: grants)
        var clientTraffic = ClientTrafficTable(
            targets, gateways: gateways, listenerSets: listenerSets, tls.authorities, findings: &findings)
        ListenerConflicts.mark(gateways, listenerSets)
        ListenerOverlap.mark(gateways)

        let tlsPolicies = BackendTLSPolicyTable(index, tls.authorities, findings: &findings)
        let backends = BackendTable(index, tlsPolicies, tls.authorities, &tls.certificates, findings: &findings)
        var clientCertificates: [ResourceName: CertificatePlan] = [:]
        var identities: [ResourceName: WorkloadIdentity] = [:]
        var identityProblems: [ResourceName: String] = [:]
        for gateway in gateways {
            clientCertificates[gateway.name] = gateway.clientCertificate
            identities[gateway.name] = gateway.identity
            identityProblems[gateway.name] = gateway.identityProblem
        }
        let clusters = ClusterTable(
            endpoints: EndpointTable(index, findings: &findings), policies: tlsPolicies, backends: backends,
            clientCertificates: clientCertificates, identities: identities,
            identityProblems: identityProblems)
        var routes = RouteResolution(
            gateways: gateways, listenerSets: listenerSets, foreignGateways: foreign, namespaces: namespaces,
            members: groups, rules: RuleResolver(index: index, grants: grants, clusters: clusters),
            tlsPolicies: tlsPolicies,
            backendTraffic: BackendTrafficTable(targets), security: SecurityPolicyTable(targets, findings: &findings))
        routes.resolveAll(index, findings: &findings)
        clientTraffic.settleDefaultHosts(routes.plans, findings: &findings)

        var plan = GatewayPlan()
        plan.files = index.files
        plan.routes = routes.plans
        plan.clusters = routes.clusters
        plan.sockets = ListenerSockets.plans(gateways)
        plan.groups = groups.plans(routes.clusters, routes.plans)
        if !groups.isEmpty { plan.workloads = WorkloadTable.workloads(index) }
        FallbackGateways.apply(to: &plan, gateways, index, findings: &findings)
        plan.nameHostsOfHealthChecks()
        var authorization = AuthorizationTable(index, findings: &findings)
        authorization.settle(&plan, gateways: gateways, findings: &findings)

        for gateway in gateways {
            gateway.note(bindFailures: bindFailures)
            tell(gateway, findings: &findings)
        }
        let certificates = tls.certificates.usable
        CertificateFact.tellExpiry(certificates, index, atSecond: seconds, findings: &findings)
        var statuses = statuses(index, gateways, listenerSets, routes.statuses)
        for (number, ancestors) in routes.tlsPolicies.statuses { statuses[number] = .policy(ancestors) }
        for (number, ancestors) in clientTraffic.statuses { statuses[number] = .policy(ancestors) }
        for (number, ancestors) in routes.backendTraffic.statuses { statuses[number] = .policy(ancestors) }
        for (number, ancestors) in routes.security.statuses { statuses[number] = .policy(ancestors) }
        for (number, conditions) in backends.statuses { statuses[number] = .backend(conditions) }
        for (number, conditions) in authorization.statuses { statuses[number] = .backend(conditions) }
        return Resolution(
            set: set, index: index, statuses: statuses, plan: plan, findings: findings.sorted(by: index.files),
            certificates: certificates, files: files.all, previous: previous, now: now, hasGateway: !gateways.isEmpty)
    }

    // MARK: gateways

    private static func tellClasses(_ index: ResourceIndex, findings: inout FindingLog) {
        for number in index.gatewayClasses {
            let resource = index.resources[number]
            let gatewayClass = GatewayClass(resource.node)
            guard gatewayClass.isOurs, gatewayClass.parametersRef.exists else { continue }
            findings.warning(
                resource, gatewayClass.parametersRef,
                "parametersRef is left alone; options of 'sluice run' say what such parameters would")
        }
    }

    /// A Gateway is ours when its class is, or is not in the files.
    private static func findGateways(
        _ index: ResourceIndex, findings: inout FindingLog
    ) -> (ours: [GatewayState], foreign: Set<ResourceName>) {
        var ours: [GatewayState] = []
        var foreign = Set<ResourceName>()
        for number in index.gateways {
            let resource = index.resources[number]
            let className = resource.node[.spec][.gatewayClassName].string ?? ""
            if let known = index[.gatewayClass, ResourceName(namespace: "", name: className)],
                !GatewayClass(index.resources[known].node).isOurs
            {
                foreign.insert(resource.name)
                continue
            }
            let gateway = GatewayState(resource, number: number)
            if gateway.gateway.parametersRef.exists {
                findings.warning(
                    resource, gateway.gateway.parametersRef,
                    "infrastructure.parametersRef is left alone; options of 'sluice run' say what such parameters would"
                )
            }
            ours.append(gateway)
        }
        return (ours, foreign)
    }

    private static func noGateway(_ set: ManifestSet, _ index: ResourceIndex) -> Finding {
        let message =
            index.gateways.isEmpty
            ? "there is no Gateway in the manifests, so there is nothing to serve"
            : "no Gateway in the manifests is Sluice's: their classes name other controllers than "
                + "'\(GatewayClass.ourController)'"
        if let first = index.resources.first {
            return Finding(.unresolved, at: SourceLocation(file: first.node.location.file, line: 1, column: 1), message)
        }
        return Finding(
            .unresolved, at: SourceLocation(file: set.files.first?.path ?? "", line: 1, column: 1), message)
    }

    private static func tell(_ gateway: GatewayState, findings: inout FindingLog) {
        let resource = gateway.resource
        if let problem = gateway.addressProblem {
            findings.unresolved(resource, resource.node[.spec][.addresses], problem.message)
        }
        if let problem = gateway.clientCertificateProblem, let reference = gateway.gateway.clientCertificateRef {
            findings.unresolved(resource, reference.node, problem.message)
        }
        for problem in gateway.carried.problems { findings.unresolved(resource, problem.node, problem.message) }
        for (node, message) in gateway.refusedAuthorities { findings.unresolved(resource, node, message) }
        for group in gateway.groups {
            if let problem = group.detachment {
                findings.unresolved(group.resource, group.resource.node[.spec][.parentRef], problem.message)
                continue
            }
            for listener in group.listeners {
                // What is wrong with the Gateway's references was told there.
                let problems = [
                    listener.refusal?.reason == .noValidCACertificate ? nil : listener.refusal, listener.conflict,
                    listener.specProblem, listener.isBlamelessForRefs ? nil : listener.unresolvedRefs,
                    listener.bindProblem,
                ]
                for case let problem? in problems {
                    let field = field(of: listener.listener.node, problem.reason)
                    findings.unresolved(group.resource, field, problem.message)
                }
            }
        }
    }

    /// The field of a listener that a reason is about.
    private static func field(of listener: WrittenNode, _ reason: ConditionReason) -> WrittenNode {
        switch reason {
        case .unsupportedProtocol: listener[.protocol]
        case .protocolConflict, .hostnameConflict, .portUnavailable, .addressNotUsable: listener[.port]
        case .unsupportedValue: listener[.allowedRoutes][.namespaces]
        case .invalidRouteKinds: listener[.allowedRoutes][.kinds]
        case .invalidCertificateRef, .partiallyInvalidCertificateRef, .refNotPermitted:
            listener[.tls][.certificateRefs]
        case .invalid: listener[.tls]
        default: listener
        }
    }

    // MARK: what comes out

    private static func statuses(
        _ index: ResourceIndex, _ gateways: [GatewayState], _ listenerSets: [ListenerSetState],
        _ routes: [Int: [RouteParentStatus]]
    ) -> [ResourceStatus] {
        var statuses = [ResourceStatus](repeating: .none, count: index.resources.count)
        for number in index.gatewayClasses where GatewayClass(index.resources[number].node).isOurs {
            statuses[number] = .gatewayClass([
                Condition(.accepted, true, .accepted, "GatewayClass is accepted"),
                Condition(.supportedVersion, true, .supportedVersion, "The schema is built in"),
            ])
        }
        for gateway in gateways { statuses[gateway.number] = .gateway(gateway.status) }
        for listenerSet in listenerSets { statuses[listenerSet.group.number] = .listenerSet(listenerSet.status) }
        for number in index.routes { statuses[number] = .route(routes[number] ?? []) }
        return statuses
    }
}
