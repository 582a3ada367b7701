import Config
import Testing

@Suite("Hostnames of listeners and routes") struct HostMatchTests {
    static let any = MatchPlan(path: .prefix("/"))

    @Test(arguments: [
        ("example.com", "example.com", true), ("example.com", "EXAMPLE.com", true),
        ("example.com", "example.com.", true),
        ("example.com", "a.example.com", false), ("*.example.com", "example.com", false),
        ("*.example.com", "a.example.com", true), ("*.example.com", "A.Example.Com.", true),
        ("*.example.com", "a.b.example.com", true), ("*.example.com", ".example.com", false),
        ("*.example.com", "aexample.com", false), ("*.com", "example.com", true), ("", "", true),
        ("example.com", "", false),
        ("", "[::1]", true), ("example.com", ".", false), ("*.example.com", "..example.com", true),
    ])
    func oneName(hostname: String, host: String, matches: Bool) throws {
        let table = try TestTable(.oneListener([("r", [hostname], [[Self.any]])]))
        #expect((table.winner(.init("/", host: host)) == "r 0.0") == matches)
    }

    @Test func aNameLongerThanDNSAllowsIsAnyHost() throws {
        let long = String(repeating: "a.", count: 130) + "example.com"
        let table = try TestTable(
            .oneListener([("wild", ["*.example.com"], [[Self.any]]), ("any", [""], [[Self.any]])]))
        #expect(table.winner(.init("/", host: long)) == "any 0.0")
        #expect(table.winner(.init("/", host: String(repeating: "a.", count: 100) + "example.com")) == "wild 0.0")
    }

    @Test func theMostSpecificHostnameIsAskedFirstAndOthersAfterIt() throws {
        func only(_ path: String) -> [[MatchPlan]] {
            [[MatchPlan(path: .exact("/all"))], [MatchPlan(path: .exact(path))]]
        }
        let table = try TestTable(
            .oneListener([
                ("any", [""], only("/any")), ("short", ["*.example.com"], only("/short")),
                ("long", ["*.b.example.com"], only("/long")), ("exact", ["a.b.example.com"], only("/exact")),
            ]))
        func winner(_ path: String) -> String { table.winner(.init(path, host: "a.b.example.com")) }
        #expect(winner("/all") == "exact 0.0")
        #expect(winner("/exact") == "exact 1.0")
        #expect(winner("/long") == "long 1.0")
        #expect(winner("/short") == "short 1.0")
        #expect(winner("/any") == "any 1.0")
        #expect(winner("/other") == "no route")
        #expect(table.winner(.init("/all", host: "c.b.example.com")) == "long 0.0")
        #expect(table.winner(.init("/all", host: "b.example.com")) == "short 0.0")
        #expect(table.winner(.init("/all", host: "example.com")) == "any 0.0")
    }

    @Test("Listener isolation: the most specific listener serves alone") func isolation() throws {
        var plan = GatewayPlan()
        plan.routes = [.test("a", [[.init(path: .prefix("/a"))]]), .test("b", [[.init(path: .prefix("/b"))]])]
        plan.sockets = [
            SocketPlan(
                address: .test(80),
                listeners: [
                    .test("wild", hostname: "*.example.com", [.init(hostnames: ["*.example.com"], route: 0)]),
                    .test("exact", hostname: "x.example.com", [.init(hostnames: ["x.example.com"], route: 1)]),
                ]),
            SocketPlan(address: .test(81), listeners: [.test("all", hostname: "", [.init(hostnames: [""], route: 0)])]),
        ]
        let table = try TestTable(plan)
        #expect(table.winner(.init("/b", host: "x.example.com")) == "b 0.0")
        #expect(table.winner(.init("/a", host: "x.example.com")) == "no route")
        #expect(table.winner(.init("/a", host: "y.example.com")) == "a 0.0")
        #expect(table.winner(.init("/a", host: "example.com")) == "no listener")
        #expect(table.winner(.init("/a", host: "example.com"), socket: 1) == "a 0.0")
        #expect(table.decide(.init("/a", host: "example.com"), socket: 1).listener == 2)
    }
}
