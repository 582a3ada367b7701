import Core

/// EndpointSlice (discovery.k8s.io/v1): some of the endpoints of one Service.
struct EndpointSlice {
    /// The label that names the Service.
    static let serviceLabel = "kubernetes.io/service-name"

    struct Port {
        var name: String
        /// Nil: the Service's own target.
        var number: UInt16?
        var appProtocol: String?
    }
    struct Endpoint {
        var address: IPAddress
        var isReady: Bool
        var isServing: Bool
        /// Empty: not told.
        var zone: String
    }
    var ports: [Port] = []
    var endpoints: [Endpoint] = []
    /// `addressType: FQDN`, deprecated and never resolved here.
    var isFQDN: Bool
    var node: WrittenNode

    init(_ node: WrittenNode) {
        isFQDN = node[.addressType].string == "FQDN"
        self.node = node
        for item in node[.ports].items {
            ports.append(
                Port(
                    name: item[.name].string ?? "", number: item[.port].integer.flatMap { UInt16(exactly: $0) },
                    appProtocol: item[.appProtocol].string))
        }
        guard !isFQDN else { return }
        let isIPv4 = node[.addressType].string == "IPv4"
        for item in node[.endpoints].items {
            let conditions = item[.conditions]
            let ready = conditions[.ready].boolean
            let terminating = conditions[.terminating].boolean ?? false
            // An unset `ready` means ready, an unset `serving` means as `ready`; an endpoint on its way out takes new
            // requests only when nobody else is left (EndpointConditions).
            let isReady = ready ?? !terminating
            let isServing = conditions[.serving].boolean ?? (ready ?? true)
            let zone = item[FieldKey("zone")].string ?? ""
            for text in item[.addresses].items {
                guard let address = IPAddress(text.text), address.isV4 == isIPv4 else { continue }
                endpoints.append(Endpoint(address: address, isReady: isReady, isServing: isServing, zone: zone))
            }
        }
    }
}
