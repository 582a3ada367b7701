/// Service: a name for endpoints. Only what routing needs.
struct Service {
    struct Port {
        var name: String
        var number: UInt16
        var protocolName: String
        /// `targetPort` when it is a number.
        var targetNumber: UInt16?
        var appProtocol: String?
    }
    var isExternalName: Bool
    var externalName: String
    var ports: [Port] = []
    var node: WrittenNode

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        isExternalName = spec[.type].string == "ExternalName"
        externalName = spec[.externalName].string ?? ""
        for item in spec[.ports].items {
            ports.append(
                Port(
                    name: item[.name].string ?? "", number: UInt16(exactly: item[.port].integer ?? 0) ?? 0,
                    protocolName: item[.protocol].string ?? "TCP",
                    targetNumber: item[.targetPort].integer.flatMap { UInt16(exactly: $0) },
                    appProtocol: item[.appProtocol].string))
        }
        self.node = node
    }
}
