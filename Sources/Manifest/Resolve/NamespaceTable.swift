/// The labels of namespaces, for `allowedRoutes.namespaces.selector`.
struct NamespaceTable {
    /// Kubernetes gives every namespace a label with its name.
    private static let nameLabel = "kubernetes.io/metadata.name"
    private var labels: [String: [String: String]] = [:]

    init(_ index: ResourceIndex) {
        for number in index.namespaces {
            let resource = index.resources[number]
            var found: [String: String] = [:]
            for (name, value) in resource.node[.metadata][.labels].fields {
                found[name.string] = value.string ?? ""
            }
            labels[resource.name.name] = found
        }
    }

    /// A namespace need not be written down: then it has its name's label alone.
    func labels(of namespace: String) -> [String: String] {
        var all = labels[namespace] ?? [:]
        all[Self.nameLabel] = namespace
        return all
    }
}
