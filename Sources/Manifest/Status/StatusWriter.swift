import Core

/// Writes `.status` as Gateway API's schemas have it.
enum StatusWriter {
    /// What the status of a resource holds that nothing was decided about.
    private static func emptyList(of kind: ResourceKind) -> StaticString? {
        switch kind {
        case .clientTrafficPolicy, .backendTrafficPolicy, .securityPolicy: "ancestors"
        case .backend, .authorizationPolicy, .peerAuthentication: "conditions"
        default: nil
        }
    }

    /// Nothing for kinds without a status, or whose status is another controller's.
    static func write(_ resource: Resolution.Shown, to json: inout JSONWriter) {
        let generation = resource.generation
        switch resource.status {
        case .none:
            guard let list = emptyList(of: resource.kind) else { return }
            json.key("status")
            json.beginObject()
            json.key(list)
            json.beginArray()
            json.endArray()
            json.endObject()
        case .gatewayClass(let conditions):
            json.key("status")
            json.beginObject()
            write(conditions, generation, to: &json)
            json.key("supportedFeatures")
            json.beginArray()
            for name in SupportedFeatures.names {
                json.beginObject()
                json.field("name", name)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        case .gateway(let status):
            json.key("status")
            write(status, generation, to: &json)
        case .listenerSet(let status):
            json.key("status")
            json.beginObject()
            write(status.conditions, generation, to: &json)
            write(status.listeners, generation, to: &json)
            json.endObject()
        case .route(let parents):
            json.key("status")
            json.beginObject()
            json.key("parents")
            json.beginArray()
            for parent in parents { write(parent, of: resource.node, generation, to: &json) }
            json.endArray()
            json.endObject()
        case .policy(let ancestors):
            json.key("status")
            json.beginObject()
            json.key("ancestors")
            json.beginArray()
            for ancestor in ancestors { write(ancestor, generation, to: &json) }
            json.endArray()
            json.endObject()
        case .backend(let conditions):
            json.key("status")
            json.beginObject()
            write(conditions, generation, to: &json)
            json.endObject()
        }
    }

    private static func write(_ conditions: [Condition], _ generation: UInt32, to json: inout JSONWriter) {
        json.key("conditions")
        json.beginArray()
        for condition in conditions {
            json.beginObject()
            json.field("type", condition.type.text)
            json.field("status", condition.isTrue ? "True" : "False")
            json.field("reason", condition.reason.text)
            json.field("message", condition.message)
            json.field("observedGeneration", Int(generation))
            json.field("lastTransitionTime", condition.lastTransitionTime)
            json.endObject()
        }
        json.endArray()
    }

    private static func write(_ status: GatewayStatus, _ generation: UInt32, to json: inout JSONWriter) {
        json.beginObject()
        json.key("addresses")
        json.beginArray()
        for address in status.addresses {
            json.beginObject()
            json.field("type", "IPAddress")
            json.field("value", address.description)
            json.endObject()
        }
        json.endArray()
        write(status.conditions, generation, to: &json)
        write(status.listeners, generation, to: &json)
        if let count = status.attachedListenerSets { json.field("attachedListenerSets", count) }
        json.endObject()
    }

    private static func write(_ listeners: [ListenerStatus], _ generation: UInt32, to json: inout JSONWriter) {
        json.key("listeners")
        json.beginArray()
        for listener in listeners {
            json.beginObject()
            json.field("name", listener.name)
            json.key("supportedKinds")
            json.beginArray()
            for kind in listener.supportedKinds {
                json.beginObject()
                json.field("group", APIGroup.gateway)
                json.field("kind", kind)
                json.endObject()
            }
            json.endArray()
            json.field("attachedRoutes", listener.attachedRoutes)
            write(listener.conditions, generation, to: &json)
            json.endObject()
        }
        json.endArray()
    }

    private static func write(
        _ ancestor: AncestorStatus, _ generation: UInt32, to json: inout JSONWriter
    ) {
        json.beginObject()
        json.key("ancestorRef")
        json.beginObject()
        json.field("group", ancestor.reference.kind == "Service" ? APIGroup.core : APIGroup.gateway)
        json.field("kind", ancestor.reference.kind)
        json.field("namespace", ancestor.reference.name.namespace)
        json.field("name", ancestor.reference.name.name)
        if let section = ancestor.reference.sectionName { json.field("sectionName", section) }
        if let port = ancestor.reference.port { json.field("port", Int(port)) }
        json.endObject()
        json.field("controllerName", GatewayClass.ourController)
        write(ancestor.conditions, generation, to: &json)
        json.endObject()
    }

    private static func write(
        _ parent: RouteParentStatus, of route: WrittenNode, _ generation: UInt32, to json: inout JSONWriter
    ) {
        json.beginObject()
        json.key("parentRef")
        json.beginObject()
        switch parent.reference {
        case .parentRef(let position):
            let reference = ParentReference(route[.spec][.parentRefs][Int(position)])
            json.field("group", reference.group)
            json.field("kind", reference.kind)
            if let namespace = reference.namespace { json.field("namespace", namespace) }
            json.field("name", reference.name)
            if let section = reference.sectionName { json.field("sectionName", section) }
            if let port = reference.port { json.field("port", Int(port)) }
        case .defaultGateway(let name):
            json.field("group", APIGroup.gateway)
            json.field("kind", "Gateway")
            json.field("namespace", name.namespace)
            json.field("name", name.name)
        }
        json.endObject()
        json.field("controllerName", GatewayClass.ourController)
        write(parent.conditions, generation, to: &json)
        json.endObject()
    }
}
