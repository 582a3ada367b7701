/// A reference from one resource to another, with the defaults of its field filled in.
struct ObjectReference {
    var group: String
    var kind: String
    /// Nil: the namespace of the resource that refers.
    var namespace: String?
    var name: String
    var port: UInt16?
    var node: WrittenNode

    init(_ node: WrittenNode, defaultGroup: String = APIGroup.core, defaultKind: String = "Service") {
        group = node[.group].string ?? defaultGroup
        kind = node[.kind].string ?? defaultKind
        namespace = node[.namespace].string
        name = node[.name].string ?? ""
        port = node[.port].integer.flatMap { UInt16(exactly: $0) }
        self.node = node
    }

    /// A port of a Service in the namespace of who refers; `node` is what findings are about.
    init(service name: String, port: UInt16, node: WrittenNode) {
        group = APIGroup.core
        kind = "Service"
        self.name = name
        self.port = port
        self.node = node
    }

    /// Who is meant, seen from a resource in `home`.
    func target(from home: String) -> ResourceName { ResourceName(namespace: namespace ?? home, name: name) }

    var isService: Bool { group == APIGroup.core && kind == "Service" }
    /// Envoy Gateway's.
    var isBackend: Bool { group == APIGroup.envoyGateway && kind == "Backend" }
    var isSecret: Bool { group == APIGroup.core && kind == "Secret" }
    var isConfigMap: Bool { group == APIGroup.core && kind == "ConfigMap" }
}

/// One entry of a route's `spec.parentRefs`.
struct ParentReference {
    var group: String
    var kind: String
    var namespace: String?
    var name: String
    var sectionName: String?
    var port: UInt16?
    var node: WrittenNode

    init(_ node: WrittenNode) {
        group = node[.group].string ?? APIGroup.gateway
        kind = node[.kind].string ?? "Gateway"
        namespace = node[.namespace].string
        name = node[.name].string ?? ""
        sectionName = node[.sectionName].string
        port = node[.port].integer.flatMap { UInt16(exactly: $0) }
        self.node = node
    }

    var isGateway: Bool { group == APIGroup.gateway && kind == "Gateway" }
    var isService: Bool { group == APIGroup.core && kind == "Service" }
    var isListenerSet: Bool { group == APIGroup.gateway && kind == "ListenerSet" }
}
