import Config

extension MatchPlan {
    /// One entry of an HTTPRoute's `rules[].matches`.
    init(http node: WrittenNode, file: UInt32) {
        self.init(path: Self.path(node[.path]), method: node[.method].string, position: node.position(in: file))
        for item in node[.headers].items { addHeader(item) }
        for item in node[.queryParams].items {
            let name = item[.name].string ?? ""
            guard !queryParams.contains(where: { $0.name == name }) else { continue }
            queryParams.append(ValueMatchPlan(item, name: name))
        }
    }

    /// One entry of `headers`. Names that differ only in case are one name, and the first entry counts
    /// (HTTPHeaderMatch.name, GRPCHeaderMatch.name).
    mutating func addHeader(_ node: WrittenNode) {
        let name = (node[.name].string ?? "").lowercased()
        guard !headers.contains(where: { $0.name == name }) else { return }
        headers.append(ValueMatchPlan(node, name: name))
    }

    private static func path(_ node: WrittenNode) -> Path {
        let value = node[.value].string ?? "/"
        switch node[.type].string ?? "PathPrefix" {
        case "Exact": return .exact(value)
        case "RegularExpression": return .regularExpression(value)
        default:
            // `/abc` and `/abc/` are the same prefix (HTTPPathMatch, PathPrefix).
            return .prefix(value.utf8.count > 1 && value.utf8.last == 0x2F ? String(value.dropLast()) : value)
        }
    }
}

extension ValueMatchPlan {
    fileprivate init(_ node: WrittenNode, name: String) {
        let isPattern = node[.type].string == "RegularExpression"
        self.init(name: name, kind: isPattern ? .regularExpression : .exact, value: node[.value].string ?? "")
    }
}
