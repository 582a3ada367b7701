extension Route.Rule {
    /// One entry of the `rules` of a TLSRoute, TCPRoute or UDPRoute: backends, and nothing else.
    init(stream node: WrittenNode) {
        self.init(empty: node)
        for item in node[.backendRefs].items { backendRefs.append(Route.BackendReference(item)) }
    }
}
