/// ListenerSet: listeners that others than a Gateway's owner add to it.
struct ListenerSet {
    var parent: ObjectReference
    var listeners: [Gateway.Listener]

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        parent = ObjectReference(spec[.parentRef], defaultGroup: APIGroup.gateway, defaultKind: "Gateway")
        listeners = []
        for item in spec[.listeners].items { listeners.append(Gateway.Listener(item)) }
    }
}
