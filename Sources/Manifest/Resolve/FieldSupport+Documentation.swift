extension FieldSupport {
    /// `docs/policies.md`, so that the page cannot say anything else than what is done.
    static var documentation: String {
        var page = """
            # Fields of Envoy Gateway's kinds

            This page is made from the table in `Sources/Manifest/Resolve` by `swift test --filter FieldSupportTests`, with
            `SLUICE_WRITE_DOCS=1`. Every field of the four kinds is one of these:

            | | what happens |
            | --- | --- |
            | works | it does what its schema and Envoy Gateway's documentation say |
            | left alone | nothing can go wrong without it; `check` warns that it is not supported by Sluice and has no effect |
            | **refused** | `check` names it as not supported by Sluice; the resource's `Accepted` is False (`Invalid`), and what it applies to is answered 500 |

            A path stands for all that is below it, unless a longer one says otherwise. [Policies](manifests.md#envoy-gateways-kinds)
            tells how policies are attached and merged. SecurityPolicy is refused as a whole: the routes that it applies to are
            answered 500, since without it they would be open.

            """
        for kind in kinds {
            page += "\n## \(kind.name)\n\n| `spec.` | | |\n| --- | --- | --- |\n"
            for path in paths(of: kind) {
                guard let entry = entries(of: kind).first(where: { $0.path == path }) else { continue }
                let state =
                    switch entry.state {
                    case .works: "works"
                    case .leftAlone: "left alone"
                    case .refused: "**refused**"
                    }
                page += "| `\(path)` | \(state) | \(entry.note) |\n"
            }
        }
        return page
    }

    /// Every field that a kind has below `spec`, in the order of its schema, without places in lists.
    static func paths(of kind: ResourceKind) -> [String] {
        var found: [String] = []
        func walk(_ shape: Shape, _ prefix: String) {
            switch shape.base {
            case .object:
                for field in shape.fields {
                    found.append(prefix + field.name.description)
                    walk(field.shape, prefix + field.name.description + ".")
                }
            case .list, .map: walk(shape.items, prefix)
            case .string, .integer, .number, .boolean, .integerOrString, .any: break
            }
        }
        if let spec = Schema.shared.definition(of: kind).specShape { walk(spec, "") }
        return found
    }
}
