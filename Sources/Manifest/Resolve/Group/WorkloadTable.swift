import Config
import Core

/// Who is at which address, as far as EndpointSlices tell: callers without a certificate are known by it.
enum WorkloadTable {
    /// Each address once. Of several Services with one endpoint the first by name counts.
    static func workloads(_ index: ResourceIndex) -> [WorkloadPlan] {
        var found: [IPAddress: WorkloadPlan] = [:]
        for number in index.endpointSlices {
            let resource = index.resources[number]
            guard let service = resource.node[.metadata][.labels].entry(EndpointSlice.serviceLabel) else { continue }
            let isIPv4 = resource.node[.addressType].string == "IPv4"
            for item in resource.node[.endpoints].items {
                let target = item[.targetRef]
                let pod = target[.kind].text.equals("Pod") ? target[.name].string : nil
                for text in item[.addresses].items {
                    guard let address = IPAddress(text.text), address.isV4 == isIPv4 else { continue }
                    let workload = WorkloadPlan(
                        address: address, namespace: target[.namespace].string ?? resource.name.namespace,
                        name: pod ?? service, service: service)
                    if let known = found[address], (known.namespace, known.service) <= (workload.namespace, service) {
                        continue
                    }
                    found[address] = workload
                }
            }
        }
        return found.values.sorted { $0.address < $1.address }
    }
}
