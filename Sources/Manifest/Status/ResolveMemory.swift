import Config
import Core
import TLS

/// What one resolution leaves to the next: generations, statuses for their transition times, and the certificates in use.
/// It belongs to the life of the process; an empty one starts every resource at generation 1.
package struct ResolveMemory: Sendable {
    struct Entry: Sendable {
        var specHash: UInt64
        var generation: UInt32
        var status: ResourceStatus
    }
    var entries: [ResourceKey: Entry] = [:]
    /// By their Secrets.
    var certificates: [ResourceName: ResolvedCertificate] = [:]

    package init() {}

    /// Of a process that was here before: what its workers show. Pairs that cannot be read are left out.
    package init(certificates: [CertificatePlan]) {
        for plan in certificates {
            let facts = Array(plan.chain.utf8).withView { chain in try? Certificate(chain: chain, key: nil) }
            guard let facts, let name = ResourceName(qualified: plan.name) else { continue }
            self.certificates[name] = ResolvedCertificate(plan, facts)
        }
    }
}
