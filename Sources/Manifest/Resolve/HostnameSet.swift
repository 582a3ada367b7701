/// A set of hostnames that can say whether another has a host in common with any of them, at a cost that does not grow
/// with their number.
struct HostnameSet {
    private var names = Set<String>()
    /// The names above each member: what a wildcard must stand on to cover it.
    private var parents = Set<Substring>()
    private var isEverything = false

    mutating func insert(_ name: String) {
        if name.isEmpty { isEverything = true }
        guard names.insert(name).inserted else { return }
        for parent in Self.parents(of: name) { parents.insert(parent) }
    }

    func intersects(_ name: String) -> Bool {
        if names.isEmpty { return false }
        if isEverything || name.isEmpty || names.contains(name) { return true }
        if Hostname.isWildcard(name), parents.contains(name.dropFirst(2)) { return true }
        return Self.parents(of: name).contains { names.contains("*.\($0)") }
    }

    /// `b.c` and `c` for `a.b.c`, and for `*.b.c` too.
    private static func parents(of name: String) -> [Substring] {
        var found: [Substring] = []
        var rest = name[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            found.append(rest)
        }
        return found
    }
}
