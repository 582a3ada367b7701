/// What to tell about a kind that is not read.
enum KindAdvice {
    /// Completes "resources of the kind X are left alone; …".
    static func of(group: String, kind: String) -> String {
        if group == "gateway.envoyproxy.io", kind == "EnvoyProxy" {
            return "what it sets are options of 'sluice run' (--workers, --log-level, --access-log, --drain-timeout)"
        }
        let known = ResourceKind.allCases.map(\.name.description)
        if !known.contains(kind), let nearest = NearestName.of(kind, among: known) {
            return "did you mean '\(nearest)'?"
        }
        if let right = ResourceKind.allCases.first(where: { $0.name.description == kind }) {
            let group = right.group.description
            return "did you mean the one of '\(group.isEmpty ? "v1" : group)'?"
        }
        return "the gateway does not need them"
    }
}
