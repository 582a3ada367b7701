import Config

extension DynamicResolverPlan {
    /// An annotation of a Backend of type DynamicResolver: `true` lets requests reach loopback and link-local addresses.
    static let annotation: StaticString = "sluice.dev/allow-local-targets"

    init(_ backend: LoadedResource, _ findings: inout FindingLog) {
        self.init()
        guard let written = AnnotationText(Self.annotation, of: backend) else { return }
        switch written.text {
        case "true": allowsLocalTargets = true
        case "false": break
        default:
            findings.unresolved(
                backend, written.node, "'\(written.text)' is no value of \(Self.annotation); true and false are")
        }
    }
}
