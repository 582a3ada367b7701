/// Which targets of policies stand under which: what the conditions Overridden and Merged of a policy are made of.
///
/// A route stands under the listener that its parentRef names, or else under the Gateway or ListenerSet; a listener under
/// its Gateway or ListenerSet; a ListenerSet under its Gateway. A Service of a group stands under the group's Gateway as a
/// ListenerSet does, with its ports in the place of listeners.
struct PolicyScopes {
    private var children: [PolicyTarget: Set<PolicyTarget>] = [:]
    /// Targets inside of a resource that have children of their own.
    private var parts: [PolicyTarget: Set<PolicyTarget>] = [:]

    /// Notes that a policy is attached to `child`, right under `parent`.
    mutating func add(_ child: PolicyTarget, under parent: PolicyTarget) {
        children[parent, default: []].insert(child)
        if parent.sectionName != nil { parts[parent.whole, default: []].insert(parent) }
    }

    /// Notes that a ListenerSet adds listeners to a Gateway, or a Service of its group ports.
    mutating func add(listenerSet: PolicyTarget, to gateway: PolicyTarget) {
        parts[gateway, default: []].insert(listenerSet)
    }

    /// What stands right under `parent`.
    func children(of parent: PolicyTarget) -> Set<PolicyTarget> { children[parent] ?? [] }

    /// What stands under `parent`, through its listeners and ListenerSets too. Under a listener stand also the routes that
    /// name its whole Gateway or ListenerSet, since they are attached to each of its listeners.
    func descendants(of parent: PolicyTarget) -> Set<PolicyTarget> {
        var found = children(of: parent)
        if parent.sectionName != nil {
            return found.union(children(of: parent.whole).filter { RouteKind($0.kind) != nil })
        }
        for part in parts[parent] ?? [] {
            found.formUnion(children(of: part))
            guard part.kind == .listenerSet || part.kind == .service, part.sectionName == nil else { continue }
            for listener in parts[part] ?? [] { found.formUnion(children(of: listener)) }
        }
        return found
    }

    /// The targets as a message lists them, in an order that does not change between processes.
    static func list(_ targets: Set<PolicyTarget>) -> String {
        StatusMessage.list(targets.map(\.description).sorted())
    }
}

extension PolicyTarget: CustomStringConvertible {
    /// The resource that a section belongs to.
    var whole: PolicyTarget { PolicyTarget(kind: kind, name: name) }

    var description: String {
        let section = sectionName.map { "/\($0)" } ?? ""
        return "\(kind.name) '\(name)\(section)'"
    }
}
