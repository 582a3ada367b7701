/// The findings of one resolution, in the order in which they were made.
struct FindingLog {
    private var findings: [Finding] = []

    /// As somebody reads who goes through the files from top to bottom.
    func sorted(by files: [String]) -> [Finding] {
        guard findings.count > 1 else { return findings }
        let order = Dictionary(files.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let sorted = findings.sorted { a, b in
            let first = (order[a.location.file] ?? -1, a.location.line, a.location.column)
            let second = (order[b.location.file] ?? -1, b.location.line, b.location.column)
            return first < second
        }
        // What several references led to is told once.
        var told: [Finding] = []
        told.reserveCapacity(sorted.count)
        for finding in sorted where finding != told.last { told.append(finding) }
        return told
    }

    /// Something of `resource` does not do what it says; `node` is the field to look at.
    mutating func unresolved(_ resource: LoadedResource, _ node: WrittenNode, _ message: String) {
        append(.unresolved, resource, node, message)
    }

    /// Something of `resource` is left alone.
    mutating func warning(_ resource: LoadedResource, _ node: WrittenNode, _ message: String) {
        append(.warning, resource, node, message)
    }

    mutating func append(_ finding: Finding) { findings.append(finding) }

    private mutating func append(
        _ kind: Finding.Kind, _ resource: LoadedResource, _ node: WrittenNode, _ message: String
    ) {
        findings.append(Finding(kind, at: node.location, resource: resource.identity, path: node.path, message))
    }
}
