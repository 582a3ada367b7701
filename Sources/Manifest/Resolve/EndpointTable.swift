import Config
import Core

/// The endpoints of Services, as EndpointSlices have them.
struct EndpointTable {
    /// Numbers of EndpointSlices by their Service.
    private var slices: [ResourceName: [Int]] = [:]

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
    }

    /// Ready endpoints in the order of the files; when none is ready, those that still serve. `withdrawn`: those that are
    /// named and not among them, since they are not ready or are terminating.
    func endpoints(
        of service: ResourceName, _ port: Service.Port, index: ResourceIndex, findings: inout FindingLog
    ) -> (used: [EndpointPlan], withdrawn: [SocketAddress]) {
        var ready: [EndpointPlan] = []
        var serving: [EndpointPlan] = []
        var withdrawn: [SocketAddress] = []
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
                let plan = EndpointPlan(
                    address: SocketAddress(ip: endpoint.address, port: target), zone: endpoint.zone)
                if endpoint.isReady {
                    ready.append(plan)
                } else if endpoint.isServing {
                    serving.append(plan)
                } else {
                    withdrawn.append(plan.address)
                }
            }
        }
        if !ready.isEmpty { withdrawn += serving.map(\.address) }
        return (Self.distinct(ready.isEmpty ? serving : ready), withdrawn)
    }

    /// While Kubernetes moves an endpoint from one slice to another it may stand in both.
    private static func distinct(_ endpoints: [EndpointPlan]) -> [EndpointPlan] {
        guard endpoints.count > 1 else { return endpoints }
        var seen = Set<SocketAddress>()
        return endpoints.filter { seen.insert($0.address).inserted }
    }
}
