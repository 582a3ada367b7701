import Core

extension Resolution {
    /// How many resources there are to show.
    package var resourceCount: Int { shown.count }

    /// Appends the array of every resource with its `.status`, as `check -o json` and `/api/resources` show it.
    package func writeResources(to json: inout JSONWriter) {
        json.beginArray()
        for number in shown.indices { writeResource(number, to: &json) }
        json.endArray()
    }

    /// Appends one resource, so that a long list need not lie in memory at once.
    /// - Parameter number: below ``resourceCount``.
    package func writeResource(_ number: Int, to json: inout JSONWriter) {
        let resource = shown[number]
        json.beginObject()
        for (name, value) in resource.node.fields {
            if name.equals("metadata") || name.equals("status") { continue }
            json.key(name)
            // Keys and passwords are for those who may read the files, not for those who may look at the gateway.
            let isSecret = resource.kind == .secret && (name.equals("data") || name.equals("stringData"))
            if isSecret { Self.writeHidden(value, to: &json) } else { value.write(to: &json) }
        }
        writeMetadata(of: resource, to: &json)
        StatusWriter.write(resource, to: &json)
        json.endObject()
    }

    private func writeMetadata(of resource: Shown, to json: inout JSONWriter) {
        json.key("metadata")
        json.beginObject()
        let metadata = resource.node[.metadata]
        for (name, value) in metadata.fields where !name.equals("generation") {
            json.key(name)
            value.write(to: &json)
        }
        if resource.kind.isNamespaced, !metadata[.namespace].exists {
            json.field("namespace", ResourceName.defaultNamespace)
        }
        if resource.node[.spec].exists { json.field("generation", Int(resource.generation)) }
        json.endObject()
    }

    private static func writeHidden(_ map: WrittenNode, to json: inout JSONWriter) {
        json.beginObject()
        for (name, _) in map.fields {
            json.key(name)
            json.value("(hidden)")
        }
        json.endObject()
    }
}

extension WrittenNode {
    /// The node as it was written; nulls are left out.
    func write(to json: inout JSONWriter) {
        switch kind {
        case .null: json.null()
        case .boolean: json.value(boolean == true)
        case .integer, .float:
            if let integer { json.value(integer) } else { json.value(number ?? 0) }
        case .string: json.value(text)
        case .list:
            json.beginArray()
            for item in items { item.write(to: &json) }
            json.endArray()
        case .object:
            json.beginObject()
            for (name, value) in fields {
                json.key(name)
                value.write(to: &json)
            }
            json.endObject()
        }
    }
}
