/// Listeners under one name, as routes refer to them: those that a Gateway has itself, or those of a ListenerSet.
final class ListenerGroup {
    let resource: LoadedResource
    /// Its number among the set's resources.
    let number: Int
    let listeners: [ListenerState]
    /// Why its listeners belong to no Gateway; nil: they do. Of ListenerSets only.
    var detachment: ListenerState.Problem?
    private var byName: [String: Int] = [:]

    /// - Parameter isByName: of its Gateway.
    init(_ resource: LoadedResource, number: Int, _ listeners: [Gateway.Listener], isByName: Bool) {
        self.resource = resource
        self.number = number
        let isListenerSet = resource.kind == .listenerSet
        self.listeners = listeners.map { ListenerState($0, isOfListenerSet: isListenerSet, isByName: isByName) }
        for (index, listener) in listeners.enumerated() { byName[listener.name] = index }
    }

    var name: ResourceName { resource.name }
    var isListenerSet: Bool { resource.kind == .listenerSet }
    /// As references and grants name the kind.
    var kindName: String { isListenerSet ? "ListenerSet" : "Gateway" }

    /// The listeners that a reference selects by sectionName and port.
    func selected(sectionName: String?, port: UInt16?) -> [ListenerState] {
        guard detachment == nil else { return [] }
        if let sectionName {
            guard let index = byName[sectionName], port == nil || listeners[index].listener.port == port else {
                return []
            }
            return [listeners[index]]
        }
        return port == nil ? listeners : listeners.filter { $0.listener.port == port }
    }

    /// What `owner/listener` is called among the listeners of a socket.
    func place(of listener: ListenerState) -> String { "\(name)/\(listener.listener.name)" }
}
