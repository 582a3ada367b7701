/// The findings of one resolution, in the order in which they were made.
struct FindingLog {
    private(set) var findings: [Finding] = []

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
