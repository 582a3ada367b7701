import Config
import Core

/// Turns Service references into clusters, each Service port once for every way of using it.
struct ClusterTable {
    /// What became of a reference.
    enum Outcome {
        case cluster(Int, hasEndpoints: Bool)
        case invalid(ConditionReason, String)
    }
    private struct Key: Hashable {
        var service: Int
        var port: UInt16
        var setting: BackendSetting
    }

    private(set) var clusters: [ClusterPlan] = []
    /// `namespace/name:port` of each, as backendRefs are called in logs.
    private(set) var backendNames: [String] = []
    private var outcomes: [Key: Outcome] = [:]
    /// Numbers of EndpointSlices by their Service.
    private var slices: [ResourceName: [Int]] = [:]
    private var services: [Int: Service] = [:]
    /// What BackendTLSPolicies want to be reached by TLS: Services, or one named port of them.
    private var wantTLS: [ResourceName: [(port: String?, policy: ResourceName)]] = [:]

    init(_ index: ResourceIndex, findings: inout FindingLog) {
        for number in index.endpointSlices {
            let resource = index.resources[number]
            guard let service = resource.node[.metadata][.labels].entry(EndpointSlice.serviceLabel) else {
                findings.warning(
                    resource, resource.node[.metadata],
                    "no label '\(EndpointSlice.serviceLabel)' names a Service; the endpoints serve nobody")
                continue
            }
            slices[ResourceName(namespace: resource.name.namespace, name: service), default: []].append(number)
        }
        for policy in index.resources where policy.kind == .backendTLSPolicy && !policy.isReplaced {
            for target in policy.node[.spec][.targetRefs].items
            where target[.kind].text.equals("Service") && target[.group].text.isEmpty {
                let service = ResourceName(namespace: policy.name.namespace, name: target[.name].text.string)
                wantTLS[service, default: []].append((target[.sectionName].string, policy.name))
            }
        }
    }

    /// The cluster for `reference`, made by a `kind` in `home`.
    mutating func resolve(
        _ reference: ObjectReference, _ setting: BackendSetting, from kind: String, in home: String,
        index: ResourceIndex, grants: GrantTable, findings: inout FindingLog
    ) -> Outcome {
        guard reference.isService else {
            let group = reference.group.isEmpty ? "core" : reference.group
            return .invalid(
                .invalidKind, "\(reference.kind) of '\(group)' is no backend that can be served; Service is")
        }
        let target = reference.target(from: home)
        // Before anything is said of the target: whether it exists is not for strangers to know.
        guard grants.permits(kind: kind, in: home, to: reference) else {
            return .invalid(
                .refNotPermitted,
                "no ReferenceGrant in namespace '\(target.namespace)' lets \(kind)s of '\(home)' refer to "
                    + "Service '\(target.name)'")
        }
        guard let service = index[.service, target] else {
            return .invalid(.backendNotFound, "there is no Service '\(target)'")
        }
        guard let port = reference.port else {
            return .invalid(.unsupportedValue, "a reference to a Service needs a port")
        }
        let key = Key(service: service, port: port, setting: setting)
        if let known = outcomes[key] { return known }
        let made = make(service, port, setting, index: index, findings: &findings)
        outcomes[key] = made
        return made
    }

    private mutating func make(
        _ number: Int, _ port: UInt16, _ setting: BackendSetting, index: ResourceIndex, findings: inout FindingLog
    ) -> Outcome {
        let resource = index.resources[number]
        let service = services[number] ?? Service(resource.node)
        services[number] = service
        let name = "\(resource.name):\(port)"
        let transport = setting.use.serviceProtocol
        let servicePort = service.ports.first { $0.number == port && $0.protocolName == transport }

        if setting.use != .passthrough, setting.use != .datagrams,
            let policy = wantTLS[resource.name]?.first(where: { $0.port == nil || $0.port == servicePort?.name })?
                .policy
        {
            return .invalid(
                .unsupportedProtocol,
                "BackendTLSPolicy '\(policy)' wants TLS towards '\(name)', which this version does not speak to backends; "
                    + "nothing is sent there in clear text")
        }
        if service.isExternalName {
            guard !service.externalName.isEmpty else {
                return .invalid(.backendNotFound, "Service '\(resource.name)' has no externalName")
            }
            // Kubernetes ignores the ports of such a Service; one that is written and has a number is honoured.
            let target = servicePort?.targetNumber ?? port
            return .cluster(
                add(
                    ClusterPlan(name: name, endpoints: [], dnsName: service.externalName, dnsPort: target),
                    servicePort?.appProtocol, setting), hasEndpoints: true)
        }
        guard let servicePort else {
            let known = service.ports.map { "\($0.number)/\($0.protocolName)" }.joined(separator: ", ")
            return .invalid(
                .portNotFound,
                "Service '\(resource.name)' has no \(transport) port \(port)"
                    + (known.isEmpty ? "" : "; it has \(known)"))
        }
        if setting.use == .http, servicePort.appProtocol == "kubernetes.io/wss" {
            return .invalid(
                .unsupportedProtocol,
                "'\(name)' speaks WebSocket over TLS (kubernetes.io/wss), but no BackendTLSPolicy says whom to trust there"
            )
        }
        let endpoints = endpoints(of: resource.name, servicePort, index: index, findings: &findings)
        return .cluster(
            add(ClusterPlan(name: name, endpoints: endpoints), servicePort.appProtocol, setting),
            hasEndpoints: !endpoints.isEmpty)
    }

    /// Adds a cluster for one way of using a Service port. The way that HTTPRoutes use it keeps the plain name, under
    /// which live state is kept; every other way is another identity.
    private mutating func add(_ plan: ClusterPlan, _ appProtocol: String?, _ setting: BackendSetting) -> Int {
        var plan = plan
        backendNames.append(plan.name)
        // Kubernetes' own names say what must be spoken (GEP-1911); others, such as `http` or `https`, only describe.
        let own: BackendProtocol = appProtocol == "kubernetes.io/h2c" ? .http2 : .http1
        switch setting.use {
        case .http: plan.backendProtocol = own
        case .grpc: plan.backendProtocol = .http2
        case .octets, .passthrough, .datagrams: plan.backendProtocol = .opaque
        }
        if plan.backendProtocol != own { plan.name += " (\(setting.use.label))" }
        clusters.append(plan)
        return clusters.count - 1
    }

    /// Ready endpoints in the order of the files; when none is ready, those that still serve.
    private func endpoints(
        of service: ResourceName, _ port: Service.Port, index: ResourceIndex, findings: inout FindingLog
    ) -> [EndpointPlan] {
        var ready: [EndpointPlan] = []
        var serving: [EndpointPlan] = []
        for number in slices[service] ?? [] {
            let resource = index.resources[number]
            let slice = EndpointSlice(resource.node)
            if slice.isFQDN {
                findings.warning(
                    resource, resource.node[.addressType],
                    "addressType FQDN is left alone; use a Service of type ExternalName")
            }
            guard let slicePort = slice.ports.first(where: { $0.name == port.name }) else { continue }
            let target = slicePort.number ?? port.targetNumber ?? port.number
            for endpoint in slice.endpoints {
                let plan = EndpointPlan(address: SocketAddress(ip: endpoint.address, port: target))
                if endpoint.isReady {
                    ready.append(plan)
                } else if endpoint.isServing {
                    serving.append(plan)
                }
            }
        }
        return Self.distinct(ready.isEmpty ? serving : ready)
    }

    /// While Kubernetes moves an endpoint from one slice to another it may stand in both.
    private static func distinct(_ endpoints: [EndpointPlan]) -> [EndpointPlan] {
        guard endpoints.count > 1 else { return endpoints }
        var seen = Set<EndpointPlan>()
        return endpoints.filter { seen.insert($0).inserted }
    }
}
