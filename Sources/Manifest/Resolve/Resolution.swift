import Config
import Core

/// What a set of manifests came to.
package struct Resolution: Sendable {
    /// Keeps the nodes that the resources are written from.
    package let set: ManifestSet
    package let plan: GatewayPlan
    /// What the resolver found; what the reader found stands in the set.
    package let findings: [Finding]
    /// The certificates that are shown to clients or to backends, by their Secrets' names.
    package let certificates: [CertificateFact]
    /// Files besides the manifests that the set depends on, by path.
    package let followedFiles: [FollowedFile]
    /// For the next resolution.
    package let memory: ResolveMemory
    /// False: nothing would be served, and the caller decides whether that is refused.
    package let hasGateway: Bool
    /// What is shown, in the order of the files.
    var shown: [Shown]

    struct Shown: Sendable {
        var node: WrittenNode
        var kind: ResourceKind
        var generation: UInt32
        var status: ResourceStatus
    }

    init(
        set: ManifestSet, index: ResourceIndex, statuses: [ResourceStatus], plan: GatewayPlan, findings: [Finding],
        certificates: [ResourceName: ResolvedCertificate], files: [FollowedFile], previous: ResolveMemory, now: String,
        hasGateway: Bool
    ) {
        var memory = ResolveMemory()
        memory.entries.reserveCapacity(index.resources.count)
        var shown: [Shown] = []
        shown.reserveCapacity(index.resources.count)
        for (number, resource) in index.resources.enumerated() where !resource.isReplaced {
            let before = previous.entries[resource.key]
            let hash = SpecHash.of(resource.node[.spec])
            let generation = before.map { $0.specHash == hash ? $0.generation : $0.generation + 1 } ?? 1
            var status = statuses[number]
            status.date(now: now, since: before?.status ?? .none)
            memory.entries[resource.key] = .init(specHash: hash, generation: generation, status: status)
            shown.append(Shown(node: resource.node, kind: resource.kind, generation: generation, status: status))
        }
        memory.certificates = certificates
        self.certificates = CertificateFact.all(certificates)
        followedFiles = files
        self.set = set
        self.plan = plan
        self.findings = findings
        self.memory = memory
        self.hasGateway = hasGateway
        self.shown = shown
    }
}
