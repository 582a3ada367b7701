import Core

/// Every annotation and label of Sluice's own, and the kinds on which each says something. What is written elsewhere, or
/// is none of them, is told: a misspelt one must not be silent.
enum OwnNames {
    struct Entry {
        /// Behind ``prefix``.
        var name: String
        var kinds: [ResourceKind]

        init(_ name: String, _ kinds: ResourceKind...) {
            self.name = name
            self.kinds = kinds
        }
    }

    static let prefix = "sluice.dev/"

    static let annotations: [Entry] = [
        Entry("adaptive-concurrency", .backendTrafficPolicy),
        Entry("allow-local-targets", .gateway, .backend),
        Entry("ca-file", .gateway, .secret, .configMap),
        Entry("carry", .gateway),
        Entry("cert-file", .gateway, .secret),
        Entry("cluster-domain", .gateway),
        Entry("dns-service", .service, .backend),
        Entry("egress", .gateway),
        Entry("fallback-gateway", .gateway, .service),
        Entry("fallback-principal", .gateway, .service),
        Entry("group", .gateway),
        Entry("hbone", .service),
        Entry("hbone-port", .service),
        Entry("hedge", .backendTrafficPolicy),
        Entry("key-file", .gateway, .secret),
        Entry("load-balancer", .backendTrafficPolicy),
        Entry("max-connections", .gateway, .service),
        Entry("max-connections-per-caller", .gateway),
        Entry("max-memory", .gateway, .service),
        Entry("ocsp-file", .gateway, .secret),
        Entry("rollout", .httpRoute, .grpcRoute),
        Entry("root-namespace", .gateway),
        Entry("service-account", .service),
        Entry("session-idle-timeout", .httpRoute, .grpcRoute),
        Entry("split-key", .httpRoute, .grpcRoute),
        Entry("transparent", .gateway),
        Entry("trust-addresses", .gateway),
        Entry("trust-domain", .gateway),
        Entry("trusted-forwarders", .gateway),
        Entry("weight", .gateway, .service),
    ]

    static let labels: [Entry] = [
        Entry("gateway", .namespace, .service),
        Entry("gateway-namespace", .namespace, .service),
    ]

    static func tell(_ index: ResourceIndex, findings: inout FindingLog) {
        let prefix = Array(prefix.utf8)
        for resource in index.resources where !resource.isReplaced {
            let metadata = resource.node[.metadata]
            for (isLabel, map) in [(false, metadata[.annotations]), (true, metadata[.labels])] where map.exists {
                for (key, value) in map.fields where prefix.withView({ key.hasPrefix($0) }) {
                    let name = String(key.string.dropFirst(prefix.count))
                    if let problem = problem(of: name, isLabel: isLabel, on: resource.kind) {
                        findings.warning(resource, value, problem)
                    }
                }
            }
        }
    }

    /// Why a name says nothing where it stands; nil: it does.
    static func problem(of name: String, isLabel: Bool, on kind: ResourceKind) -> String? {
        let (own, others) = isLabel ? (labels, annotations) : (annotations, labels)
        let (what, other) = isLabel ? ("label", "annotation") : ("annotation", "label")
        if let entry = own.first(where: { $0.name == name }) {
            guard !entry.kinds.contains(kind) else { return nil }
            let kinds = entry.kinds.map(\.name.description).joined(separator: " and ")
            return "this \(what) says nothing on a \(kind.name); it is for \(kinds)"
        }
        if others.contains(where: { $0.name == name }) {
            return "this is \(isLabel ? "an" : "a") \(other), and says nothing as \(isLabel ? "a" : "an") \(what); "
                + "write it under metadata.\(other)s"
        }
        let near = NearestName.of(name, among: own.map(\.name)).map { "; did you mean \(prefix)\($0)?" }
        return "Sluice knows no such \(what), and it says nothing" + (near ?? "")
    }
}
