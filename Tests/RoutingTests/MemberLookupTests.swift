import Config
import Core
import HTTP
import Routing
import Testing

/// Who is meant by a name or an address in a group.
@Suite struct MemberLookupTests {
    private static func member(
        _ name: String, _ namespace: String, ports: [(UInt16, MemberProtocol)] = [(80, .http)],
        at addresses: [IPAddress] = [], endpoints: [SocketAddress] = []
    ) -> MemberPlan {
        var plans = ports.map { MemberPortPlan(number: $0.0, memberProtocol: $0.1) }
        plans[0].endpoints = endpoints
        var plan = MemberPlan(namespace: namespace, name: name, ports: plans)
        plan.addresses = addresses
        return plan
    }

    private static func table(_ members: [MemberPlan], domain: String = "cluster.local") throws -> TestTable {
        var plan = GatewayPlan.oneListener([("r", [""], [[MatchPlan(path: .prefix("/"))]])])
        var group = GroupPlan(namespace: "a", name: "front")
        group.clusterDomain = domain
        group.members = members.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        plan.groups = [group]
        return try TestTable(plan)
    }

    /// `namespace/name:port`, or why there is none.
    private static func words(_ found: CallLookup, _ table: TestTable) -> String {
        switch found {
        case .outside: return "outside"
        case .ambiguous: return "ambiguous"
        case .noPort(let number):
            let member = table.snapshot[table.table.group(0).pointee.members, Int(number)].pointee
            return "no port of \(table.snapshot.text(member.qualifiedName).string)"
        case .member(let call):
            let name = table.snapshot.text(table.table.member(call).pointee.qualifiedName).string
            let direct = call.endpoint == nil ? "" : " directly"
            return "\(name):\(table.table.memberPort(call).pointee.number)\(direct)"
        }
    }

    private static func look(
        _ host: String, _ wish: PortWish = .exactly(80), from namespace: String = "", in table: TestTable
    ) -> String {
        host.withView { host in
            namespace.withView { words(table.table.lookUp(host: host, wish, from: $0, in: 0), table) }
        }
    }

    @Test(arguments: [
        ("alone", "", "a/alone:80"), ("ALONE", "", "a/alone:80"), ("alone.", "", "a/alone:80"),
        ("alone.a", "", "a/alone:80"), ("alone.a.svc", "", "a/alone:80"), ("Alone.A.Svc.Corp", "", "a/alone:80"),
        ("alone.a.svc.corp.", "b", "a/alone:80"), ("alone.a.svc.cluster.local", "", "outside"),
        ("alone.b", "", "outside"), ("alone", "b", "a/alone:80"), ("twice", "", "ambiguous"),
        ("twice", "a", "a/twice:80"), ("twice", "b", "b/twice:80"), ("twice.", "b", "b/twice:80"),
        ("TWICE", "b", "b/twice:80"), ("twice", "c", "ambiguous"), ("twice.b", "a", "b/twice:80"),
        ("nobody", "a", "outside"), ("", "a", "outside"), (".", "a", "outside"), ("..a", "", "outside"),
        (".alone.a", "", "outside"), ("x.alone.a", "", "outside"), ("alone.a.svc.corp.x", "", "outside"),
    ])
    func names(_ host: String, _ namespace: String, _ wanted: String) throws {
        let table = try Self.table(
            [Self.member("alone", "a"), Self.member("twice", "a"), Self.member("twice", "b")], domain: "corp")
        #expect(Self.look(host, from: namespace, in: table) == wanted)
    }

    @Test(
        arguments: [
            (nil, 9999, false, "a/m:80"), (nil, 9999, true, "a/m:80"), (8080, 9999, false, "a/m:8080"),
            (81, 9999, false, "no port of a/m"), (9999, 9999, false, "a/m:80"), (8080, 8080, false, "a/m:8080"),
            (nil, 8080, false, "a/m:80"), (nil, 8080, true, "a/m:8080"), (nil, 9, true, "a/m:9"),
            (443, 9999, true, "a/m:443"), (443, 443, true, "a/m:443"),
        ] as [(UInt16?, UInt16, Bool, String)])
    func portsOfRequests(_ port: UInt16?, _ listener: UInt16, _ isSecure: Bool, _ wanted: String) throws {
        let table = try Self.table([
            Self.member("m", "a", ports: [(9, .tcp), (443, .tls), (80, .http), (8080, .http)])
        ])
        #expect(Self.look("m", .request(port: port, listener: listener, isSecure: isSecure), in: table) == wanted)
    }

    /// Without port 80 it is the listener's, else the first for requests, else the first that says nothing, else the first.
    @Test func portsThatNobodyNames() throws {
        let wish = PortWish.request(port: nil, listener: 7, isSecure: false)
        let cases: [([(UInt16, MemberProtocol)], String)] = [
            ([(9, .tcp), (8, .http), (7, .tcp)], "a/m:7"), ([(9, .tcp), (6, .undeclared), (8, .http)], "a/m:8"),
            ([(9, .tcp), (6, .undeclared)], "a/m:6"), ([(9, .tcp), (5, .tls)], "a/m:9"),
        ]
        for (ports, wanted) in cases {
            let table = try Self.table([Self.member("m", "a", ports: ports)])
            #expect(Self.look("m", wish, in: table) == wanted)
        }
    }

    /// TLS that ended at the listener is for no port that wants the caller's own; TLS that goes on is for the first that does.
    @Test(
        arguments: [
            ([(80, .http), (443, .tls)], "a/m:80", "a/m:443"), ([(443, .http), (8443, .tls)], "a/m:443", "a/m:443"),
            ([(80, .http), (8443, .tls)], "a/m:80", "a/m:8443"), ([(9, .tcp), (8443, .tls)], "a/m:9", "a/m:8443"),
            ([(5, .tls), (9, .tcp)], "a/m:9", "a/m:5"), ([(80, .http), (6, .undeclared)], "a/m:80", "a/m:6"),
            ([(7, .tls), (6, .undeclared)], "a/m:6", "a/m:7"), ([(5, .tls)], "a/m:5", "a/m:5"),
        ] as [([(UInt16, MemberProtocol)], String, String)])
    func portsWithinTLS(_ ports: [(UInt16, MemberProtocol)], _ ended: String, _ passedOn: String) throws {
        let table = try Self.table([Self.member("m", "a", ports: ports)])
        #expect(Self.look("m", .request(port: nil, listener: 7, isSecure: true), in: table) == ended)
        #expect(Self.look("m", .passedOn(listener: 7), in: table) == passedOn)
    }

    @Test func addresses() throws {
        let (own, pod) = (IPAddress(v4: 10, 96, 0, 1), IPAddress(v4: 10, 0, 0, 1))
        let v6 = try #require("fd00::1".withView { IPAddress($0) })
        let table = try Self.table([
            Self.member(
                "m", "a", ports: [(80, .http), (81, .http)], at: [own, v6],
                endpoints: [SocketAddress(ip: pod, port: 8000)])
        ])
        let cases: [(String, UInt16, String)] = [
            ("10.96.0.1", 80, "a/m:80"), ("10.96.0.1", 81, "a/m:81"), ("10.96.0.1", 82, "no port of a/m"),
            ("[fd00::1]", 80, "a/m:80"), ("10.0.0.1", 8000, "a/m:80 directly"), ("10.0.0.1", 80, "no port of a/m"),
            ("10.0.0.2", 8000, "outside"), ("[fd00::2]", 80, "outside"),
        ]
        for (host, port, wanted) in cases { #expect(Self.look(host, .exactly(port), in: table) == wanted, "\(host)") }
        // What a request's Host says without a port.
        let wish = PortWish.request(port: nil, listener: 9, isSecure: false)
        #expect(Self.look("10.96.0.1", wish, in: table) == "a/m:80")
    }

    /// Any groups, any questions: what is found is what a plain search over the plan finds.
    @Test(arguments: 0..<40) func asAPlainSearchHasIt(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
        let (names, namespaces) = (["a", "b", "ab", "svc"], ["a", "b", "svc", "x"])
        var members: [MemberPlan] = []
        for namespace in namespaces {
            for name in names where pick(3) > 0 {
                let ip = IPAddress(v4: 10, 0, 0, UInt8(pick(6)))
                members.append(
                    Self.member(
                        name, namespace, ports: [(UInt16(80 + pick(2)), .http)], at: pick(2) == 0 ? [ip] : [],
                        endpoints: [SocketAddress(ip: IPAddress(v4: 10, 0, 1, UInt8(pick(6))), port: 8000)]))
            }
        }
        members.sort { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        guard !members.isEmpty else { return }
        let table = try Self.table(members)
        for _ in 0..<300 {
            let from = pick(2) == 0 ? "" : namespaces[pick(namespaces.count)]
            var host = names[pick(names.count)]
            let parts = pick(4)
            if parts > 0 { host += "." + namespaces[pick(namespaces.count)] }
            if parts > 1 { host += ".svc" }
            if parts > 2 { host += ".cluster.local" }
            let wanted = Self.search(host, from, members)
            #expect(Self.look(host, from: from, in: table) == wanted, "\(host) from '\(from)'")
            let address = SocketAddress(
                ip: IPAddress(v4: 10, 0, UInt8(pick(2)), UInt8(pick(6))), port: pick(2) == 0 ? 80 : 8000)
            let found = Self.words(table.table.lookUp(address: address, in: 0), table)
            #expect(found == Self.search(address, members), "\(address)")
        }
    }

    private static func search(_ host: String, _ from: String, _ members: [MemberPlan]) -> String {
        func result(_ found: [MemberPlan]) -> String? {
            guard let member = found.first else { return nil }
            if found.count > 1 { return "ambiguous" }
            let name = "\(member.namespace)/\(member.name)"
            return member.ports.contains { $0.number == 80 } ? "\(name):80" : "no port of \(name)"
        }
        func qualified(_ name: String) -> [MemberPlan] {
            members.filter { member in
                let full = "\(member.name).\(member.namespace)"
                return [full, full + ".svc", full + ".svc.cluster.local"].contains(name)
            }
        }
        if !host.contains("."), !from.isEmpty, let near = result(qualified("\(host).\(from)")) { return near }
        return result(qualified(host)) ?? result(members.filter { $0.name == host }) ?? "outside"
    }

    private static func search(_ address: SocketAddress, _ members: [MemberPlan]) -> String {
        let owners = members.filter { $0.addresses.contains(address.ip) }
        for member in owners where member.ports.contains(where: { $0.number == address.port }) {
            return "\(member.namespace)/\(member.name):\(address.port)"
        }
        for member in members where member.ports[0].endpoints.contains(address) {
            return "\(member.namespace)/\(member.name):\(member.ports[0].number) directly"
        }
        // Those of one endpoint stand in the order of their ports, all of which are 8000 here.
        let called = owners.first ?? members.first { $0.ports[0].endpoints.contains { $0.ip == address.ip } }
        return called.map { "no port of \($0.namespace)/\($0.name)" } ?? "outside"
    }
}
