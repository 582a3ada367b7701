/// GatewayClass: who serves the Gateways that name it.
struct GatewayClass {
    /// The controller name that makes a class ours.
    static let ourController = "sluice.dev/gateway-controller"

    var controllerName: String
    var parametersRef: WrittenNode
    var node: WrittenNode

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        controllerName = spec[.controllerName].string ?? ""
        parametersRef = spec[.parametersRef]
        self.node = node
    }

    var isOurs: Bool { controllerName == Self.ourController }
}
