import Config
import Core

/// Turns references to backends into clusters, each backend once for every way of using it.
struct ClusterTable {
    /// What became of a reference.
    enum Outcome {
        case cluster(Int, hasEndpoints: Bool)
        case invalid(ConditionReason, String)
    }
    /// A backend as it is, before anybody uses it.
    private struct Backend {
        var plan: ClusterPlan
        /// What its `appProtocol` fixes; nil: nothing.
        var fixed: BackendProtocol?
        var tls: UpstreamTLSPlan?
        /// `alpnProtocols` of a Backend.
        var alpn: [String]?
        var hasEndpoints: Bool
        /// Whom its endpoints' side of HBONE is; nil: they are reached directly.
        var tunnel: HBONEBackend?
    }
    private struct Key: Hashable {
        /// The Service's or Backend's number among the set's resources.
        var number: Int
        var port: UInt16
        var setting: BackendSetting
    }

    private(set) var clusters: [ClusterPlan] = []
    /// `namespace/name:port` of each, as backendRefs are called in logs.
    private(set) var backendNames: [String] = []
    /// BackendTLSPolicies that have to do with the references since ``takeTouches()``.
    private var touches: [BackendTLSPolicyTable.Touch] = []
    private let endpoints: EndpointTable
    private let policies: BackendTLSPolicyTable
    private let backends: BackendTable
    /// What Gateways show to backends.
    private let clientCertificates: [ResourceName: CertificatePlan]
    /// Who Gateways are in a mesh.
    private let identities: [ResourceName: WorkloadIdentity]
    /// What is wrong with what is written of that.
    private let identityProblems: [ResourceName: String]
    private var outcomes: [Key: (outcome: Outcome, touches: [BackendTLSPolicyTable.Touch])] = [:]
    private var services: [Int: Service] = [:]

    init(
        endpoints: EndpointTable, policies: BackendTLSPolicyTable, backends: BackendTable,
        clientCertificates: [ResourceName: CertificatePlan], identities: [ResourceName: WorkloadIdentity],
        identityProblems: [ResourceName: String]
    ) {
        self.endpoints = endpoints
        self.policies = policies
        self.backends = backends
        self.clientCertificates = clientCertificates
        self.identities = identities
        self.identityProblems = identityProblems
    }

    mutating func takeTouches() -> [BackendTLSPolicyTable.Touch] {
        defer { touches.removeAll() }
        return touches
    }

    /// The cluster for `reference`, made by a `kind` in `home`.
    /// - Parameter members: of the group whose members' routes refer; nil: they are no group's. They need no grant, and
    ///   whether a Service exists is no secret in a group, where everybody may look for everybody.
    mutating func resolve(
        _ reference: ObjectReference, _ setting: BackendSetting, from kind: String, in home: String,
        index: ResourceIndex, grants: GrantTable, members: Set<ResourceName>? = nil, findings: inout FindingLog
    ) -> Outcome {
        guard reference.isService || reference.isBackend else {
            let group = reference.group.isEmpty ? "core" : reference.group
            return .invalid(
                .invalidKind,
                "\(reference.kind) of '\(group)' is no backend that can be served; Service and Envoy Gateway's Backend are"
            )
        }
        let target = reference.target(from: home)
        let isReached = reference.isService && members?.contains(target) ?? false
        if members != nil, reference.isService, index[.service, target] == nil {
            return .invalid(.backendNotFound, index.missing(.service, target))
        }
        // Before anything is said of the target: whether it exists is not for strangers to know.
        guard isReached || grants.permits(kind: kind, in: home, to: reference) else {
            return .invalid(
                .refNotPermitted,
                "no ReferenceGrant in namespace '\(target.namespace)' lets \(kind)s of '\(home)' refer to "
                    + "\(reference.kind) '\(target.name)'"
                    + (members == nil || !reference.isService
                        ? ""
                        : "; members of the route's group need none: label the Service sluice.dev/gateway if it is one")
            )
        }
        guard let number = index[reference.isService ? .service : .backend, target] else {
            return .invalid(.backendNotFound, index.missing(reference.isService ? .service : .backend, target))
        }
        var port: UInt16 = 0
        if reference.isService {
            guard let written = reference.port else {
                return .invalid(.unsupportedValue, "a reference to a Service needs a port")
            }
            port = written
        }
        let key = Key(number: number, port: port, setting: setting)
        if let known = outcomes[key] {
            touches += known.touches
            return known.outcome
        }
        let made =
            reference.isService
            ? service(number, port, setting, index, &findings) : backend(number, setting)
        touches += made.touches
        outcomes[key] = made
        return made.outcome
    }

    // MARK: Services

    private mutating func service(
        _ number: Int, _ port: UInt16, _ setting: BackendSetting, _ index: ResourceIndex,
        _ findings: inout FindingLog
    ) -> (outcome: Outcome, touches: [BackendTLSPolicyTable.Touch]) {
        let resource = index.resources[number]
        let service = services[number] ?? Service(resource.node)
        services[number] = service
        let name = "\(resource.name):\(port)"
        let authority = "\(resource.name.name).\(resource.name.namespace):\(port)"
        let transport = setting.use.serviceProtocol
        let servicePort = service.ports.first { $0.number == port && $0.protocolName == transport }
        guard servicePort != nil || service.isExternalName else {
            let known = service.ports.map { "\($0.number)/\($0.protocolName)" }.joined(separator: ", ")
            return (
                .invalid(
                    .portNotFound,
                    "Service '\(resource.name)' has no \(transport) port \(port)"
                        + (known.isEmpty ? "" : "; it has \(known)")), []
            )
        }
        let (verdict, touches): (BackendTLSPolicyTable.Verdict, [BackendTLSPolicyTable.Touch]) =
            setting.use.isSecurable
            ? policies.verdict(on: resource.name, port: servicePort?.name, of: service.ports.map(\.name))
            : (.none, [])
        var tls: UpstreamTLSPlan?
        switch verdict {
        case .none: break
        case .secured(let plan): tls = plan
        case .refused(let why): return (.invalid(.invalidBackendTLS, why), touches)
        }
        // Kubernetes' own names say what must be spoken (GEP-1911); others, such as `http` or `https`, only describe.
        var fixed: BackendProtocol?
        switch servicePort?.appProtocol {
        case "kubernetes.io/h2c": fixed = .http2
        case "kubernetes.io/ws": fixed = .http1
        case "kubernetes.io/wss":
            fixed = .http1
            if tls == nil, setting.use == .http {
                return (
                    .invalid(
                        .unsupportedProtocol,
                        "'\(name)' speaks WebSocket over TLS (kubernetes.io/wss), but no BackendTLSPolicy says whom to "
                            + "trust there"), touches
                )
            }
        default: break
        }
        if service.isExternalName {
            guard !service.externalName.isEmpty else {
                return (.invalid(.backendNotFound, "Service '\(resource.name)' has no externalName"), touches)
            }
            // Kubernetes ignores the ports of such a Service; one that is written and has a number is honoured.
            var target = DNSNamePlan(name: service.externalName, port: servicePort?.targetNumber ?? port)
            target.service = DNSService.read(resource, findings: &findings) ?? ""
            var plan = ClusterPlan(name: name, endpoints: [], dnsNames: [target])
            plan.authority = authority
            return (add(Backend(plan: plan, fixed: fixed, tls: tls, hasEndpoints: true), setting), touches)
        }
        guard let servicePort else { preconditionFailure("a port was looked for above") }
        let found = endpoints.endpoints(of: resource.name, servicePort, index: index, findings: &findings)
        var plan = ClusterPlan(name: name, endpoints: found.used)
        plan.authority = authority
        plan.withdrawn = found.withdrawn
        var backend = Backend(plan: plan, fixed: fixed, tls: tls, hasEndpoints: !found.used.isEmpty)
        backend.tunnel = HBONEBackend(resource, findings: &findings)
        if backend.tunnel != nil, setting.use != .datagrams, setting.gateway.flatMap({ identities[$0] }) == nil {
            return (
                .invalid(
                    .invalidBackendTLS,
                    "'\(name)' is reached by HBONE, for which the Gateway needs a certificate: "
                        + (setting.gateway.flatMap { identityProblems[$0] }
                            ?? "the annotations \(WorkloadIdentity.annotations)")), touches
            )
        }
        return (add(backend, setting), touches)
    }

    // MARK: Backends

    private mutating func backend(
        _ number: Int, _ setting: BackendSetting
    ) -> (outcome: Outcome, touches: [BackendTLSPolicyTable.Touch]) {
        let backend = backends[number]
        if let problem = backend.problem {
            return (.invalid(problem.reason, "Backend '\(backend.name)': \(problem.message)"), [])
        }
        let (verdict, touches): (BackendTLSPolicyTable.Verdict, [BackendTLSPolicyTable.Touch]) =
            setting.use.isSecurable ? policies.verdict(onBackend: backend.name) : (.none, [])
        var tls: UpstreamTLSPlan?
        switch verdict {
        case .none:
            guard setting.use.isSecurable, let own = backend.tls else { break }
            guard let trust = own.trust, own.problem == nil else {
                let why = own.problem?.message ?? "it trusts nobody"
                return (.invalid(.invalidBackendTLS, "Backend '\(backend.name)': \(why)"), touches)
            }
            tls = UpstreamTLSPlan(trust: trust, serverName: own.serverName, hostname: own.serverName)
            tls?.verifiesServerName = own.namesDiffer
        case .secured(let plan): tls = plan
        case .refused(let why): return (.invalid(.invalidBackendTLS, why), touches)
        }
        if tls != nil, let own = backend.tls {
            tls?.clientCertificate = own.clientCertificate
            tls?.parameters = own.settings.parameters
        }
        var fixed: BackendProtocol?
        if backend.protocols.contains(.h2c) {
            fixed = .http2
        } else if !backend.protocols.isEmpty {
            fixed = .http1
            if backend.protocols.contains(.wss), tls == nil, setting.use == .http {
                return (
                    .invalid(
                        .unsupportedProtocol, "Backend '\(backend.name)' speaks WebSocket over TLS, but has no tls"),
                    touches
                )
            }
        }
        var plan = ClusterPlan(
            name: "backend/\(backend.name)", endpoints: backend.endpoints, dnsNames: backend.names)
        plan.dynamicResolver = backend.dynamicResolver
        plan.isFallback = backend.isFallback
        let alpn = backend.tls.flatMap { $0.settings.hasALPN ? $0.settings.parameters.alpn : nil }
        return (
            add(
                Backend(
                    plan: plan, fixed: fixed, tls: tls, alpn: alpn,
                    hasEndpoints: !backend.endpoints.isEmpty || !backend.names.isEmpty
                        || backend.dynamicResolver != nil), setting), touches
        )
    }

    // MARK: clusters

    /// The cluster of whatever hosts requests name, with what policies say of it.
    mutating func egress(_ name: String, _ resolver: DynamicResolverPlan, _ setting: BackendSetting) -> Int {
        var plan = ClusterPlan(name: name, endpoints: [])
        plan.dynamicResolver = resolver
        _ = add(Backend(plan: plan, hasEndpoints: true), setting)
        return clusters.count - 1
    }

    /// Adds a cluster for one way of using a backend. The way that HTTPRoutes use it keeps the plain name, under which
    /// live state is kept; every other way is another identity.
    private mutating func add(_ backend: Backend, _ setting: BackendSetting) -> Outcome {
        var plan = backend.plan
        plan.caller = setting.gateway?.description ?? ""
        backendNames.append(plan.name)
        var labels: [String] = []
        let own = Self.ownProtocol(of: backend)
        switch setting.use {
        case .http: plan.backendProtocol = own
        case .grpc: plan.backendProtocol = .http2
        case .octets, .passthrough, .datagrams: plan.backendProtocol = .opaque
        }
        if plan.backendProtocol != own { labels.append(setting.use.label) }
        if var tls = backend.tls {
            switch plan.backendProtocol {
            case .http1: tls.parameters.alpn = ["http/1.1"]
            case .http2: tls.parameters.alpn = ["h2"]
            case .negotiated: tls.parameters.alpn = ["h2", "http/1.1"]
            case .opaque: tls.parameters.alpn = backend.alpn ?? []
            }
            // A client that offers nothing is spoken HTTP/1.1 with.
            if plan.backendProtocol == .http1, backend.alpn?.isEmpty ?? false { tls.parameters.alpn = [] }
            if tls.clientCertificate == nil, let gateway = setting.gateway,
                let certificate = clientCertificates[gateway]
            {
                tls.clientCertificate = certificate
                labels.append("certificate of \(gateway)")
            }
            plan.tls = tls
            // Another identity than in clear text: no connection from before the policy may serve after it.
            labels.insert("tls", at: 0)
        }
        if let backend = backend.tunnel, setting.use != .datagrams, let gateway = setting.gateway,
            let identity = identities[gateway]
        {
            plan.tunnel = backend.plan(from: gateway, identity)
            labels.append("HBONE from \(gateway)")
        }
        if setting.use != .datagrams, setting.proxyProtocol != .none {
            plan.proxyProtocol = setting.proxyProtocol
            labels.append("PROXY \(setting.proxyProtocol)")
        }
        if setting.policies != nil {
            plan.traffic = setting.traffic
            // Whether datagrams arrive, nobody can be asked; Envoy Gateway leaves UDPRoutes unchecked, too.
            if setting.use == .datagrams { plan.traffic.healthCheck = HealthCheckPlan() }
            for name in plan.dnsNames.indices { plan.dnsNames[name].dns = setting.traffic.dns }
            labels.append("policy \(setting.policyNames)")
        }
        if !labels.isEmpty { plan.name += " (\(labels.joined(separator: ", ")))" }
        clusters.append(plan)
        return .cluster(clusters.count - 1, hasEndpoints: backend.hasEndpoints)
    }

    /// What HTTPRoutes speak with it.
    private static func ownProtocol(of backend: Backend) -> BackendProtocol {
        if let fixed = backend.fixed { return fixed }
        guard backend.tls != nil else { return .http1 }
        guard let alpn = backend.alpn else { return .negotiated }
        switch (alpn.contains("h2"), alpn.contains("http/1.1") || alpn.contains("http/1.0")) {
        case (true, true): return .negotiated
        case (true, false): return .http2
        case (false, _): return .http1
        }
    }
}
