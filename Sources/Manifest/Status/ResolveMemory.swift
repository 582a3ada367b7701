/// What one resolution leaves to the next: generations, and statuses for their transition times.
/// It belongs to the life of the process; an empty one starts every resource at generation 1.
package struct ResolveMemory: Sendable {
    struct Entry: Sendable {
        var specHash: UInt64
        var generation: UInt32
        var status: ResourceStatus
    }
    var entries: [ResourceKey: Entry] = [:]

    package init() {}
}
