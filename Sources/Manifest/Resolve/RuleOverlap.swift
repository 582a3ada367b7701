import Config

/// Finds matches that two routes have in common on one listener and hostname, or for one port of a Service: there the older
/// route wins always, and the authors of both should know.
struct RuleOverlap {
    /// One parent of one route.
    struct Place: Hashable {
        var route: UInt32
        /// Its place among the route's statuses.
        var parent: UInt32
    }
    private var seen: [UInt64: Place] = [:]
    /// Each place that overlaps, with the route that it overlaps with first.
    private(set) var found: [Place: UInt32] = [:]

    /// A number for what a match asks; equal for matches that ask the same.
    static func signature(_ match: MatchPlan) -> UInt64 {
        var hasher = SpecHash()
        switch match.path {
        case .exact(let path): hasher.add(1, path)
        case .prefix(let path): hasher.add(2, path)
        case .regularExpression(let path): hasher.add(3, path)
        case .lateExpression(let path): hasher.add(7, path)
        }
        if let method = match.method { hasher.add(4, method) }
        // The order of header and query matches means nothing.
        var rest: UInt64 = 0
        for header in match.headers { rest &+= value(5, header) }
        for query in match.queryParams { rest &+= value(6, query) }
        for cookie in match.cookies { rest &+= value(8, cookie) }
        hasher.add(rest)
        return hasher.value
    }

    private static func value(_ tag: UInt64, _ match: ValueMatchPlan) -> UInt64 {
        var hasher = SpecHash()
        hasher.add(tag, match.name)
        hasher.add(UInt64(match.kind.rawValue), match.value)
        return hasher.value
    }

    mutating func add(_ signatures: [UInt64], listener: ListenerState, hostnames: [String], place: Place) {
        add(signatures, UInt64(UInt(bitPattern: ObjectIdentifier(listener))), hostnames, place)
    }

    /// Of a route whose parent is a Service, where hostnames do not count.
    /// - Parameter consumers: the namespace whose calls it serves; empty: everybody's. Those of one never stand beside those of
    ///   another.
    mutating func add(_ signatures: [UInt64], member: MemberState, port: Int, consumers: String, place: Place) {
        var hasher = SpecHash()
        hasher.add(UInt64(UInt(bitPattern: ObjectIdentifier(member))), consumers)
        hasher.add(UInt64(port))
        add(signatures, hasher.value, [""], place)
    }

    private mutating func add(_ signatures: [UInt64], _ identity: UInt64, _ hostnames: [String], _ place: Place) {
        for hostname in hostnames {
            var hasher = SpecHash()
            hasher.add(identity, hostname)
            let prefix = hasher.value
            for signature in signatures {
                var whole = SpecHash()
                whole.add(prefix)
                whole.add(signature)
                guard let other = seen[whole.value] else {
                    seen[whole.value] = place
                    continue
                }
                guard other.route != place.route else { continue }
                if found[place] == nil { found[place] = other.route }
                if found[other] == nil { found[other] = place.route }
            }
        }
    }
}
