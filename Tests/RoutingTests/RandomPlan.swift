import Config
import Core

/// Plans and requests from a small alphabet, so that they meet often.
struct RandomPlan {
    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    private mutating func pick<T>(_ list: [T]) -> T { list[Int.random(in: 0..<list.count, using: &random)] }
    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
    private mutating func some<T>(upTo count: Int, _ make: (inout RandomPlan) -> T) -> [T] {
        (0..<Int.random(in: 0...count, using: &random)).map { _ in make(&self) }
    }

    static let names = ["com", "b.com", "a.b.com", "c.a.b.com", "x.com", "d.x.com"]
    static let expressions = ["/x.*", "/.*", "/x/(y|z)", "/[xy]+", "/x/.*/z"]

    mutating func hostname() -> String {
        if chance(30) { return "" }
        let name = pick(Self.names)
        return chance(40) ? "*." + name : name
    }

    mutating func path() -> String {
        let path = some(upTo: 4) { "/" + $0.pick(["x", "y", "xy", "z"]) }.joined()
        return path.isEmpty ? "/" : path
    }

    private mutating func trailing(_ path: String) -> String { path != "/" && chance(20) ? path + "/" : path }

    mutating func match() -> MatchPlan {
        let path: MatchPlan.Path =
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3: .exact(trailing(self.path()))
            case 3..<5: .regularExpression(pick(Self.expressions))
            case 5: .lateExpression(pick(Self.expressions))
            default: .prefix(trailing(self.path()))
            }
        var match = MatchPlan(path: path, method: chance(20) ? pick(["GET", "POST", "PURGE"]) : nil)
        switch path {
        case .regularExpression, .lateExpression: if chance(30) { match.rankLength = pick([1, 9, 1 << 22]) }
        case .exact, .prefix: break
        }
        for name in ["a", "b", "origin"] where chance(15) { match.headers.append(value(name)) }
        for name in ["p", "q"] where chance(15) { match.queryParams.append(value(name)) }
        return match
    }

    private mutating func value(_ name: String) -> ValueMatchPlan {
        chance(70) ? .exact(name, pick(["1", "2", "1,2"])) : .regex(name, pick(["[0-9]", "1.*", ""]))
    }

    mutating func plan() -> GatewayPlan {
        var plan = GatewayPlan()
        for index in 0..<Int.random(in: 1...8, using: &random) {
            let rules = (0..<pick([1, 1, 2, 3])).map { _ in (0..<pick([1, 1, 2])).map { _ in match() } }
            plan.routes.append(.test("r\(index)", rules))
        }
        var hostnames = Set(some(upTo: 2) { $0.hostname() })
        if chance(70) { hostnames.insert("") }
        if hostnames.isEmpty { hostnames = ["*.com"] }
        let listeners = hostnames.sorted().map { hostname in
            ListenerPlan.test(
                "l" + hostname, hostname: hostname,
                plan.routes.indices.filter { _ in chance(80) }.map { route in
                    .init(
                        hostnames: Array(Set((0..<pick([1, 1, 2, 3])).map { _ in self.hostname() })).sorted(),
                        route: route)
                })
        }
        plan.sockets = [SocketPlan(address: .test(80), listeners: listeners)]
        return plan
    }

    mutating func request() -> TestRequest {
        var target = trailing(path())
        let pairs = some(upTo: 3) { $0.pick(["p", "q", "r"]) + $0.pick(["", "=", "=1", "=2"]) }
        if !pairs.isEmpty { target += "?" + pairs.joined(separator: "&") }
        var host = chance(80) ? pick(Self.names) : pick(["z.b.com", "y.z.x.com", "", "org", "e.a.b.com"])
        if chance(20) { host = host.uppercased() }
        if chance(10), !host.isEmpty { host += "." }
        return TestRequest(
            target, host: host, method: pick(["GET", "GET", "POST", "PURGE", "OTHER"]),
            headers: some(upTo: 4) { ($0.pick(["a", "A", "b", "B", "Origin", "c"]), $0.pick(["1", "2", ""])) })
    }
}
