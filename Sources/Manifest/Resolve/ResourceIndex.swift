import Core

/// One document of the set, as far as every kind has it.
struct LoadedResource {
    var node: WrittenNode
    var kind: ResourceKind
    var name: ResourceName
    /// The number of its file in the plan.
    var file: UInt32
    /// Another document further on has the same name and counts instead.
    var isReplaced = false

    var key: ResourceKey { ResourceKey(kind: kind, name: name) }

    var identity: ResourceIdentity {
        ResourceIdentity(
            apiVersion: node[.apiVersion].text.string, kind: kind.name.description, namespace: name.namespace,
            name: name.name)
    }
}

/// The resources of a set by kind and name.
struct ResourceIndex {
    private(set) var resources: [LoadedResource] = []
    /// Numbers in `resources`, in the order of the files.
    private(set) var gatewayClasses: [Int] = []
    private(set) var gateways: [Int] = []
    private(set) var listenerSets: [Int] = []
    /// Routes of all kinds.
    private(set) var routes: [Int] = []
    private(set) var referenceGrants: [Int] = []
    private(set) var endpointSlices: [Int] = []
    private(set) var namespaces: [Int] = []
    /// Paths of the files, as the plan numbers them.
    private(set) var files: [String] = []
    private var byKey: [ResourceKey: Int] = [:]
    /// Names that somebody may have meant who wrote another, by kind and namespace.
    private var nameable: [ResourceKey: [String]] = [:]
    /// Names of one kind and namespace among which a misspelt one is looked for.
    private static let nameableLimit = 512

    init(_ set: ManifestSet, findings: inout FindingLog) {
        resources.reserveCapacity(set.documents.count)
        byKey.reserveCapacity(set.documents.count)
        var numbers: [ObjectIdentifier: UInt32] = [:]
        for document in set.documents {
            let node = WrittenNode(document.root)
            let id = ObjectIdentifier(node.file)
            let file = numbers[id] ?? UInt32(files.count)
            if Int(file) == files.count {
                numbers[id] = file
                files.append(node.file.path)
            }
            let metadata = node[.metadata]
            let namespace = document.kind.isNamespaced ? metadata[.namespace].text : .empty
            let name = ResourceName(
                namespace: !namespace.isEmpty
                    ? namespace.string : document.kind.isNamespaced ? ResourceName.defaultNamespace : "",
                name: metadata[.name].text.string)
            add(LoadedResource(node: node, kind: document.kind, name: name, file: file), findings: &findings)
        }
        gatewayClasses = all(.gatewayClass)
        gateways = all(.gateway)
        listenerSets = all(.listenerSet)
        routes = resources.indices.filter { RouteKind(resources[$0].kind) != nil && !resources[$0].isReplaced }
        referenceGrants = all(.referenceGrant)
        endpointSlices = all(.endpointSlice)
        namespaces = all(.namespace)
    }

    /// These resources in the order of precedence: creationTimestamp, a missing one being the newest, then
    /// namespace/name, then the kind.
    func byAge(_ numbers: [Int]) -> [Int] {
        struct Entry {
            var created: Int64
            var number: Int
        }
        var entries = numbers.map { number in
            let text = resources[number].node[.metadata][.creationTimestamp].text
            return Entry(created: Timestamp.nanoseconds(text) ?? Timestamp.newest, number: number)
        }
        entries.sort { a, b in
            if a.created != b.created { return a.created < b.created }
            let (first, second) = (resources[a.number], resources[b.number])
            return first.name == second.name ? first.kind.rawValue < second.kind.rawValue : first.name < second.name
        }
        return entries.map(\.number)
    }

    /// The numbers of all resources of `kind`, in the order of the files.
    func all(_ kind: ResourceKind) -> [Int] {
        resources.indices.filter { resources[$0].kind == kind && !resources[$0].isReplaced }
    }

    subscript(kind: ResourceKind, name: ResourceName) -> Int? { byKey[ResourceKey(kind: kind, name: name)] }

    /// That there is no such resource, and which one was probably meant.
    func missing(_ kind: ResourceKind, _ name: ResourceName) -> String {
        let names = nameable[ResourceKey(kind: kind, name: ResourceName(namespace: name.namespace, name: ""))] ?? []
        let near = NearestName.of(name.name, among: names).map { ResourceName(namespace: name.namespace, name: $0) }
        return "there is no \(kind.name) '\(name)'" + (near.map { "; did you mean '\($0)'?" } ?? "")
    }

    /// Of two documents with one name the later counts, as when they are applied one after the other.
    private mutating func add(_ resource: LoadedResource, findings: inout FindingLog) {
        let number = resources.count
        resources.append(resource)
        switch resource.kind {
        case .service, .gateway, .listenerSet, .backend:
            let key = ResourceKey(kind: resource.kind, name: ResourceName(namespace: resource.name.namespace, name: ""))
            if (nameable[key]?.count ?? 0) < Self.nameableLimit {
                nameable[key, default: []].append(resource.name.name)
            }
        default: break
        }
        if let earlier = byKey.updateValue(number, forKey: resource.key) {
            resources[earlier].isReplaced = true
            // Files that can each be used alone often begin with the same Namespace.
            if SpecHash.of(resources[earlier].node) == SpecHash.of(resource.node) { return }
            findings.warning(
                resources[earlier], resources[earlier].node[.metadata][.name],
                "\(resource.kind.name) '\(resource.name)' is written again at "
                    + "\(resource.node.location.file):\(resource.node.location.line), which counts; remove one of the two"
            )
        }
    }
}
