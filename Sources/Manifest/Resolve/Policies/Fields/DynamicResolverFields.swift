import Config

extension DynamicResolverPlan {
    /// An annotation of a Backend of type DynamicResolver: `true` lets requests reach loopback and link-local addresses.
    static let annotation = "sluice.dev/allow-local-targets"

    init(_ backend: LoadedResource, _ findings: inout FindingLog) {
        self.init()
        let annotations = backend.node[.metadata][.annotations]
        switch annotations.entry(Self.annotation) {
        case nil, "false": break
        case "true": allowsLocalTargets = true
        case let other?:
            findings.unresolved(backend, annotations, "\(Self.annotation) is '\(other)'; it would be 'true' or 'false'")
        }
    }
}
