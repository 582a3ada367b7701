/// ReferenceGrant: who may refer from other namespaces to what in the grant's own.
struct ReferenceGrant {
    struct From {
        var group: String
        var kind: String
        var namespace: String
    }
    struct To {
        var group: String
        var kind: String
        /// Nil: every resource of the kind.
        var name: String?
    }
    var from: [From] = []
    var to: [To] = []

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        for item in spec[.from].items {
            from.append(
                From(
                    group: item[.group].string ?? "", kind: item[.kind].string ?? "",
                    namespace: item[.namespace].string ?? ""))
        }
        for item in spec[.to].items {
            let name = item[.name].string
            to.append(
                To(group: item[.group].string ?? "", kind: item[.kind].string ?? "", name: name == "" ? nil : name))
        }
    }
}
