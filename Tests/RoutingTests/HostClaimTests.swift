import Config
import Core
import Routing
import Testing

/// What a request's host says to another gateway.
@Suite struct HostClaimTests {
    /// Two groups, and Services of which only the name is known.
    private static func table() throws -> TestTable {
        var plan = GatewayPlan.oneListener([("r", [""], [[MatchPlan(path: .prefix("/"))]])])
        plan.groups = ["first", "second"].map { name in
            var group = GroupPlan(namespace: "a", name: name)
            var member = MemberPlan(
                namespace: "a", name: name, ports: [MemberPortPlan(number: 80, memberProtocol: .http)])
            member.addresses = [IPAddress(v4: 10, 96, 0, name == "first" ? 1 : 2)]
            group.members = [member]
            return group
        }
        plan.services = ["web.shop", "cart.shop", "x.dev"]
        return try TestTable(plan)
    }

    @Test(
        arguments: [
            // The backend's own.
            ("web.shop", 8080, .own(isWhole: true), .own(isWhole: true)),
            ("WEB.shop.", 8080, .own(isWhole: true), .own(isWhole: true)),
            ("web.shop.svc", 8080, .own(isWhole: true), .own(isWhole: true)),
            ("web.shop.svc.cluster.local", nil, .own(isWhole: false), .own(isWhole: false)),
            ("web.shop", nil, .own(isWhole: false), .own(isWhole: false)),
            ("web.shop", 81, .own(isWhole: false), .own(isWhole: false)),
            ("web", 8080, .own(isWhole: false), .own(isWhole: false)),
            // Of a group, whichever.
            ("first.a", nil, .anothers, .anothers), ("second", 81, .anothers, .anothers),
            ("SECOND.a.svc.cluster.local.", nil, .anothers, .anothers), ("10.96.0.2", 9, .anothers, .anothers),
            // Of the form of a Service's, or known as one.
            ("cart.shop", 80, .anothers, .nobodys), ("Cart.Shop.", nil, .anothers, .nobodys),
            ("cart", nil, .anothers, .nobodys), ("localhost", nil, .anothers, .nobodys),
            ("a.b.svc", nil, .anothers, .nobodys), ("a.b.SVC.corp", nil, .anothers, .nobodys),
            ("web.shop2.svc", 8080, .anothers, .nobodys), ("x.dev", 443, .anothers, .nobodys),
            // Anything else.
            ("shop.example", nil, .nobodys, .nobodys), ("www.shop.example", 8080, .nobodys, .nobodys),
            ("web.shop.svcs", 8080, .nobodys, .nobodys), ("web.shopping", 8080, .nobodys, .nobodys),
            ("y.dev", nil, .nobodys, .nobodys), ("10.96.0.3", nil, .nobodys, .nobodys),
            ("[fd00::1]", nil, .nobodys, .nobodys), ("", nil, .nobodys, .nobodys), ("..", nil, .nobodys, .nobodys),
        ] as [(String, UInt16?, HostClaim, HostClaim)])
    func hosts(_ host: String, _ port: UInt16?, _ inClear: HostClaim, _ byTunnel: HostClaim) throws {
        let table = try Self.table()
        let found = host.withView { host in
            "web.shop:8080".withView { own in
                [true, false].map { table.table.claim(ofHost: host, port: port, from: own, unknownOnes: $0) }
            }
        }
        #expect(found == [inClear, byTunnel])
    }

    @Test func aBackendThatIsNoServiceOwnsNoName() throws {
        let table = try Self.table()
        for (host, wanted) in [("web.shop", HostClaim.anothers), ("shop.example", .nobodys)] {
            host.withView {
                #expect(table.table.claim(ofHost: $0, port: nil, from: .empty, unknownOnes: true) == wanted)
            }
        }
    }
}
