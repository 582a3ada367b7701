import Config
import Core
import Testing

@testable import Manifest

@Suite("Shares and quotas in the annotations of Services and Gateways") struct FairShareAnnotationTests {
    private func resolve(service: String = "", gateway: String = "") -> Resolution {
        let text = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: mesh, annotations: {sluice.dev/group: by-name\(gateway.isEmpty ? "" : ", \(gateway)")}}
            spec:
              gatewayClassName: sluice
              listeners: [{name: http, protocol: HTTP, port: 15080}]
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, labels: {sluice.dev/gateway: mesh}, annotations: {\(service)}}
            spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}

            """
        let set = ManifestReader.read(files: [(path: "r.yaml", bytes: Array(text.utf8))])
        #expect(!set.isMalformed, "\(set.findings)")
        return Resolver.resolve(set, now: "2026-01-01T00:00:00Z") { _ in nil }
    }

    /// What the Service and the Gateway say, and what it comes to.
    @Test(arguments: [
        ("", "", FairSharePlan()), ("sluice.dev/weight: '3'", "", FairSharePlan(weight: 3)),
        ("", "sluice.dev/weight: '3'", FairSharePlan(weight: 3)),
        (
            "sluice.dev/weight: '2'", "sluice.dev/weight: '3', sluice.dev/max-memory: 64Mi",
            FairSharePlan(weight: 2, maxMemory: 64 << 20)
        ),
        ("sluice.dev/max-connections: '100'", "", FairSharePlan(maxConnections: 100)),
        ("sluice.dev/max-memory: '1000000'", "", FairSharePlan(maxMemory: 1_000_000)),
        (
            "sluice.dev/max-memory: 2G", "sluice.dev/max-connections: '7'",
            FairSharePlan(maxConnections: 7, maxMemory: 2_000_000_000)
        ),
    ])
    func theyAreRead(service: String, gateway: String, plan: FairSharePlan) throws {
        let resolution = resolve(service: service, gateway: gateway)
        #expect(resolution.findings.filter(\.isError).isEmpty, "\(resolution.findings)")
        let member = try #require(resolution.plan.groups.first?.members.first)
        #expect(member.fairShare == plan)
    }

    /// What is no value, with the words that say what would be right, and where it stands.
    @Test(arguments: [
        ("sluice.dev/weight: '0'", "a whole number of shares, 1 to 1000"),
        ("sluice.dev/weight: '1001'", "a whole number of shares, 1 to 1000"),
        ("sluice.dev/weight: heavy", "a whole number of shares, 1 to 1000"),
        ("sluice.dev/max-connections: '0'", "how many calls may be held at once"),
        ("sluice.dev/max-connections: '-1'", "how many calls may be held at once"),
        ("sluice.dev/max-memory: 64MB", "a quantity such as 64Mi"), ("sluice.dev/max-memory: 1Ki", "256Ki or more"),
        ("sluice.dev/max-memory: 99999999999Gi", "a quantity such as 64Mi"),
    ])
    func whatIsNoValueIsSaid(annotation: String, words: String) throws {
        for (resolution, line) in [(resolve(service: annotation), 10), (resolve(gateway: annotation), 3)] {
            let finding = try #require(
                resolution.findings.first { $0.message.contains(words) }, "\(resolution.findings)")
            #expect(finding.location.line == line)
            #expect(resolution.plan.groups.first?.members.first?.fairShare == FairSharePlan())
        }
    }
}
