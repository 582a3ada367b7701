/// Hostnames of listeners and routes, in lower case. Empty stands for every host; `*.example.com` for every name that
/// ends in `.example.com` and has something before it.
enum Hostname {
    /// The hosts that both name, or nil (Listener.hostname; HTTPRoute.hostnames).
    static func intersection(_ a: String, _ b: String) -> String? {
        if a.isEmpty { return b }
        if b.isEmpty || a == b { return a }
        if isWildcard(a), covers(a, b) { return b }
        if isWildcard(b), covers(b, a) { return a }
        return nil
    }

    static func isWildcard(_ name: String) -> Bool { name.utf8.starts(with: "*.".utf8) }

    /// What a listener serves of a route's hostnames; `[""]` when neither names any, empty when nothing is common.
    static func intersections(listener: String, route: [String]) -> [String] {
        if route.isEmpty { return [listener] }
        if listener.isEmpty { return route }
        var common: [String] = []
        for name in route {
            if let both = intersection(listener, name), !common.contains(both) { common.append(both) }
        }
        return common
    }

    /// The names of which every host of `name` is one: itself, the wildcards above it, and the empty one.
    static func covering(_ name: String) -> [String] {
        guard !name.isEmpty else { return [""] }
        var names = [name]
        var rest = isWildcard(name) ? name.dropFirst(2) : Substring(name)
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            names.append("*.\(rest)")
        }
        return names + [""]
    }

    /// Whether every host of `name` is one of `wildcard`'s.
    private static func covers(_ wildcard: String, _ name: String) -> Bool {
        let suffix = wildcard.utf8.dropFirst()
        let rest = isWildcard(name) ? name.utf8.dropFirst() : Substring(name).utf8
        if isWildcard(name) { return rest.count >= suffix.count && rest.suffix(suffix.count).elementsEqual(suffix) }
        return rest.count > suffix.count && rest.suffix(suffix.count).elementsEqual(suffix)
    }
}
