import Config
import Core
import Routing
import Testing

@Suite("Cost does not grow with routes") struct ScaleTests {
    /// One route with one rule and one backend per number; on one host, or each on a host of its own.
    static func plan(_ count: Int, ownHosts: Bool) -> GatewayPlan {
        var plan = GatewayPlan()
        var attachments: [ListenerPlan.Attachment] = []
        for i in 0..<count {
            plan.clusters.append(
                ClusterPlan(
                    name: "shop/service-\(i):8080",
                    endpoints: [
                        EndpointPlan(
                            address: SocketAddress(
                                ip: IPAddress(v4: 10, 0, UInt8(i / 256 % 256), UInt8(i % 256)), port: 8080))
                    ]))
            let rule = RulePlan(
                matches: [MatchPlan(path: .prefix(ownHosts ? "/api" : "/team-\(i % 100)/service-\(i)"))],
                backends: [BackendPlan(target: .cluster(i), weight: 1, name: "shop/service-\(i):8080")])
            plan.routes.append(
                RoutePlan(
                    kind: "HTTPRoute", namespace: "shop", name: "route-\(i)", rules: [rule], position: SourcePosition())
            )
            attachments.append(.init(hostnames: [ownHosts ? "service-\(i).example.com" : "example.com"], route: i))
        }
        plan.sockets = [SocketPlan(address: .test(80), listeners: [.test("http", hostname: "", attachments)])]
        return plan
    }

    private func request(_ i: Int, ownHosts: Bool) -> TestRequest {
        ownHosts
            ? TestRequest("/api/items/7", host: "service-\(i).example.com")
            : TestRequest("/team-\(i % 100)/service-\(i)/items/7", host: "example.com")
    }

    @Test(arguments: [false, true]) func tenThousandRoutes(ownHosts: Bool) throws {
        let count = 10_000
        let table = try TestTable(Self.plan(count, ownHosts: ownHosts))
        var probes = 0
        for i in 0..<count {
            #expect(table.winner(request(i, ownHosts: ownHosts)) == "route-\(i) 0.0")
            let effort = table.effort(request(i, ownHosts: ownHosts))
            #expect(effort.candidates == 1)
            #expect(effort.hosts == 1)
            // Open addressing at three quarters: a chain is long only by bad luck.
            #expect(effort.probes < 64)
            probes += effort.probes
        }
        #expect(Double(probes) / Double(count) < 5)
        #expect(table.winner(.init("/none", host: "example.com")) == "no route")
        #expect(table.block.bytes.count <= 8 << 20)
    }

    @Test func oneRouteAndTenThousandTakeTheSameSteps() throws {
        let one = try TestTable(Self.plan(1, ownHosts: false)).effort(request(0, ownHosts: false))
        let many = try TestTable(Self.plan(10_000, ownHosts: false)).effort(request(0, ownHosts: false))
        #expect(many.candidates == one.candidates)
        #expect(many.hosts == one.hosts)
        #expect(many.probes <= one.probes + 8)
    }

    @Test func depthsWithoutPrefixesAreNotProbed() throws {
        let table = try TestTable(.matches([.init(path: .prefix("/")), .init(path: .prefix("/a/b/c/d/e/f/g/h/i/j"))]))
        let effort = table.effort(.init("/a/b/c/d/e/f/g/h/i/x/y/z"))
        #expect(effort.probes <= 4)
        #expect(effort.candidates == 1)
    }

    @Test func expressionsWithAnotherBeginningAreNotRun() throws {
        let table = try TestTable(
            .matches((0..<1000).map { .init(path: .regularExpression("/service-\($0)/v[0-9]+/.*")) }))
        #expect(table.winner(.init("/service-77/v2/x")) == "r 77.0")
        #expect(table.effort(.init("/service-77/v2/x")).probes == 1)
    }

    @Test func manyRulesOfOnePathAreOnlyTheCandidatesOfThatPath() throws {
        var matches = (0..<500).map { MatchPlan(path: .prefix("/other-\($0)")) }
        matches += (0..<16).map { MatchPlan(path: .prefix("/a"), headers: [.exact("v", "\($0)")]) }
        let table = try TestTable(.matches(matches))
        #expect(table.winner(.init("/a/b", headers: [("v", "15")])) == "r 515.0")
        #expect(table.effort(.init("/a/b", headers: [("v", "15")])).candidates == 16)
    }
}
