/// Gateway: where to listen, and which routes may attach there.
struct Gateway {
    var className: String
    var listeners: [Listener]
    var addresses: [Address]
    /// `spec.defaultScope` is `All`: routes with `useDefaultGateways: All` attach without naming it.
    var isDefault: Bool
    /// `spec.infrastructure.parametersRef`.
    var parametersRef: WrittenNode
    /// `spec.tls.backend.clientCertificateRef`: the certificate shown to backends.
    var clientCertificateRef: ObjectReference?
    /// `spec.allowedListeners.namespaces`: whose ListenerSets may attach; nobody's when it is not written.
    var allowedListeners: NamespaceRule
    /// `spec.tls.frontend.default.validation`.
    var clientValidation: ClientValidation?
    /// `spec.tls.frontend.perPort`, which replaces the default on its ports; nil: clients are not validated there.
    var clientValidationByPort: [UInt16: ClientValidation?]
    var node: WrittenNode

    /// What is asked of clients' certificates.
    struct ClientValidation {
        var authorities: [ObjectReference]
        /// `AllowInsecureFallback`.
        var isInsecure: Bool
        var node: WrittenNode
    }

    /// One entry of `spec.addresses`.
    struct Address {
        var type: String
        /// Nil or empty: any address of the host.
        var value: String?
        var node: WrittenNode
    }

    /// One entry of `spec.listeners`.
    struct Listener {
        var name: String
        var hostname: String
        var port: UInt16
        var protocolName: String
        var isPassthrough: Bool
        var certificateRefs: [ObjectReference]
        /// `allowedRoutes.kinds`; empty: what the protocol suggests.
        var kinds: [(group: String, kind: String)]
        var namespaces: NamespaceRule
        var node: WrittenNode
    }

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        className = spec[.gatewayClassName].string ?? ""
        isDefault = spec[.defaultScope].string == "All"
        parametersRef = spec[.infrastructure][.parametersRef]
        let client = spec[.tls][.backend][.clientCertificateRef]
        clientCertificateRef = client.exists ? ObjectReference(client, defaultKind: "Secret") : nil
        allowedListeners = NamespaceRule(spec[.allowedListeners][.namespaces], default: "None")
        let frontend = spec[.tls][.frontend]
        clientValidation = ClientValidation(frontend[.default][.validation])
        clientValidationByPort = [:]
        for item in frontend[.perPort].items {
            guard let port = item[.port].integer.flatMap({ UInt16(exactly: $0) }) else { continue }
            clientValidationByPort[port] = .some(ClientValidation(item[.tls][.validation]))
        }
        addresses = []
        for item in spec[.addresses].items {
            addresses.append(Address(type: item[.type].string ?? "IPAddress", value: item[.value].string, node: item))
        }
        listeners = []
        for item in spec[.listeners].items { listeners.append(Listener(item)) }
        self.node = node
    }
}

extension Gateway.ClientValidation {
    /// Nil when nothing is written.
    init?(_ node: WrittenNode) {
        guard node.exists else { return nil }
        authorities = []
        for item in node[.caCertificateRefs].items { authorities.append(ObjectReference(item, defaultKind: "")) }
        isInsecure = node[.mode].string == "AllowInsecureFallback"
        self.node = node
    }
}

extension Gateway.Listener {
    init(_ node: WrittenNode) {
        name = node[.name].string ?? ""
        hostname = (node[.hostname].string ?? "").lowercased()
        port = UInt16(exactly: node[.port].integer ?? 0) ?? 0
        protocolName = node[.protocol].string ?? ""
        let tls = node[.tls]
        isPassthrough = tls[.mode].string == "Passthrough"
        certificateRefs = []
        for item in tls[.certificateRefs].items {
            certificateRefs.append(ObjectReference(item, defaultKind: "Secret"))
        }
        let allowed = node[.allowedRoutes]
        kinds = []
        for item in allowed[.kinds].items {
            kinds.append((item[.group].string ?? APIGroup.gateway, item[.kind].string ?? ""))
        }
        namespaces = NamespaceRule(allowed[.namespaces])
        self.node = node
    }
}
