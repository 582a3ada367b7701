import Config
import Core

/// Istio's PeerAuthentications: where callers must show a certificate. The nearest counts: of the workload, of its
/// namespace, of the root namespace; of two that are equally near the older.
struct PeerAuthenticationTable {
    private enum Mode { case disable, permissive, strict }

    private struct Policy {
        var number: Int
        var name: ResourceName
        var target: WorkloadTarget
        /// Nil: as the next one above says.
        var mode: (Mode, SourcePosition)?
        var ports: [UInt16: (Mode, SourcePosition)?]
    }
    /// The oldest first.
    private var policies: [Policy] = []
    /// Those that decided something, by their numbers among the set's resources.
    private(set) var used = Set<Int>()
    /// Those that another one with the same scope makes void.
    private(set) var void: [Int: String] = [:]

    init(_ index: ResourceIndex, findings: inout FindingLog) {
        var whole: [String: ResourceName] = [:]
        for number in index.byAge(index.all(.peerAuthentication)) {
            let resource = index.resources[number]
            let spec = resource.node[.spec]
            let target = WorkloadTarget(spec)
            if case .namespace = target {
                if let earlier = whole[resource.name.namespace] {
                    let message =
                        "PeerAuthentication '\(earlier)' is for the same namespace and comes first; this one has no effect"
                    findings.unresolved(resource, resource.node[.metadata][.name], message)
                    void[number] = message
                    continue
                }
                whole[resource.name.namespace] = resource.name
            }
            var policy = Policy(
                number: number, name: resource.name, target: target,
                mode: Self.mode(spec[Key.mtls][.mode], resource), ports: [:])
            for (name, value) in spec[Key.portLevelMtls].fields {
                guard let port = name.decimal.flatMap({ UInt16(exactly: $0) }) else { continue }
                policy.ports[port] = .some(Self.mode(value[.mode], resource))
            }
            policies.append(policy)
        }
    }

    var isEmpty: Bool { policies.isEmpty }

    private static func mode(_ node: WrittenNode, _ resource: LoadedResource) -> (Mode, SourcePosition)? {
        let position = node.position(in: resource.file)
        switch node.string {
        case "DISABLE": return (.disable, position)
        case "PERMISSIVE": return (.permissive, position)
        case "STRICT": return (.strict, position)
        default: return nil
        }
    }

    /// Who asks callers of a port for a certificate; nil: nobody.
    /// - Parameters:
    ///   - namespace: of the Service.
    ///   - labels: those by which it selects its workloads.
    ///   - ports: of the workloads.
    mutating func strict(
        _ namespace: String, labels: [String: String], ports: [UInt16], in scope: AuthorizationScope
    ) -> StrictPlan? {
        var nearest: [(policy: Policy, rank: Int)] = []
        for policy in policies
        where scope.reaches(namespace, from: policy.name.namespace) && policy.target.selects(labels) {
            let rank: Int
            switch policy.target {
            case .labels: rank = policy.name.namespace == namespace ? 0 : 1
            case .namespace, .resources: rank = policy.name.namespace == namespace ? 2 : 3
            }
            // In the root namespace a policy of the namespace is that of the mesh.
            if !nearest.contains(where: { $0.rank == rank }) { nearest.append((policy, rank)) }
        }
        nearest.sort { $0.rank < $1.rank }
        for entry in nearest { used.insert(entry.policy.number) }
        func plan(_ mode: (Mode, SourcePosition), _ policy: Policy) -> StrictPlan? {
            mode.0 == .strict ? StrictPlan(policy: "\(policy.name)", position: mode.1) : nil
        }
        var general: StrictPlan?
        for entry in nearest {
            guard let mode = entry.policy.mode else { continue }
            general = plan(mode, entry.policy)
            break
        }
        guard let own = nearest.first?.policy, !own.ports.isEmpty else { return general }
        // Of several ports behind one of the Service the strictest counts.
        var isNamed = false
        var found: StrictPlan?
        for port in ports {
            guard let written = own.ports[port] else {
                found = found ?? general
                continue
            }
            isNamed = true
            found = found ?? (written.map { plan($0, own) } ?? general)
        }
        return isNamed ? found : general
    }

    private enum Key {
        static let mtls = FieldKey("mtls")
        static let portLevelMtls = FieldKey("portLevelMtls")
    }
}
