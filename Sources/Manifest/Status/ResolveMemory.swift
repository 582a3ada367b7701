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
}
