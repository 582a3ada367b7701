import Config
import Core
import HTTP
import Testing

@testable import Routing

@Suite("ClientTrafficPolicy clientIPDetection") struct ClientAddressTests {
    /// What is found for a request with these `X-Forwarded-For` lines.
    private func detect(
        _ lines: [String], peer: String = "10.0.0.9", header: String? = nil, _ change: (inout ClientIPPlan) -> Void
    ) throws -> ClientAddress.Outcome {
        var listener = ListenerPlan(
            gatewayNamespace: "d", gatewayName: "g", name: "l", hostname: "", attachments: [],
            position: SourcePosition())
        listener.client.healthCheckPath = "/h"
        change(&listener.client.clientIP)
        var plan = GatewayPlan()
        plan.sockets = [SocketPlan(address: SocketAddress(ip: .any, port: 80), listeners: [listener])]
        let block = try SnapshotBuilder.buildBlock(plan, generation: 1, revision: 1, sourceHash: 0, socketIDs: [1])
        guard let snapshot = block.snapshot else { preconditionFailure("a built block is a snapshot") }
        let client = snapshot[snapshot.header.pointee.listeners, 0].pointee.client
        let fields = lines.map { "X-Forwarded-For: \($0)\r\n" } + (header.map { ["X-Real-Ip: \($0)\r\n"] } ?? [])
        let text = Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields.joined())\r\n".utf8)
        var head = RequestHead()
        var parser = RequestHeadParser()
        return try text.withView { view in
            let progress = parser.parse(view, into: &head)
            #expect(progress == .complete)
            return ClientAddress.detect(
                snapshot[client, 0].pointee.clientIP, in: snapshot, peer: try #require(IPAddress(peer)),
                fields: head.fields, view)
        }
    }

    private func found(_ text: String) throws -> ClientAddress.Outcome { .detected(try #require(IPAddress(text))) }

    /// The example of the field's description: two hops from the right.
    @Test(
        arguments: [
            (1, "203.0.113.1"), (2, "203.0.113.10"), (3, "203.0.113.128"), (4, nil),
        ] as [(UInt32, String?)]) func hops(_ hops: UInt32, _ expected: String?) throws
    {
        let outcome = try detect(["203.0.113.128, 203.0.113.10,203.0.113.1"]) {
            $0.method = .trustedHops
            $0.numTrustedHops = hops
        }
        #expect(try outcome == expected.map { try found($0) } ?? .peer)
    }

    @Test func severalLinesAreOneList() throws {
        let outcome = try detect(["1.1.1.1, 2.2.2.2", "", "3.3.3.3,,"]) {
            $0.method = .trustedHops
            $0.numTrustedHops = 2
        }
        #expect(try outcome == found("2.2.2.2"))
    }

    @Test(
        arguments: [
            ("10.0.0.9", ["1.1.1.1, 10.0.0.1"], "1.1.1.1"), ("10.0.0.9", ["6.6.6.6, 1.1.1.1, 10.0.0.1"], "1.1.1.1"),
            ("10.0.0.9", ["10.0.0.2, 10.0.0.1"], "10.0.0.2"), ("10.0.0.9", [], nil), ("9.9.9.9", ["1.1.1.1"], nil),
            ("10.0.0.9", ["1.1.1.1, nonsense, 10.0.0.1"], "10.0.0.1"), ("10.0.0.9", ["nonsense"], nil),
            ("10.0.0.9", ["[2001:db8::1]:443, fd00::1"], "2001:db8::1"), ("fd00::7", ["1.2.3.4:5678"], "1.2.3.4"),
        ] as [(String, [String], String?)])
    func ranges(_ peer: String, _ lines: [String], _ expected: String?) throws {
        let outcome = try detect(lines, peer: peer) {
            $0.method = .trustedCIDRs
            $0.trustedCIDRs = ["10.0.0.0/8", "fd00::/8"].compactMap { AddressRange($0) }
        }
        #expect(try outcome == expected.map { try found($0) } ?? .peer)
    }

    @Test(arguments: [("1.2.3.4", "1.2.3.4"), ("2001:db8::5", "2001:db8::5"), ("nonsense", nil), (nil, nil)])
    func header(_ value: String?, _ expected: String?) throws {
        let outcome = try detect(["7.7.7.7"], header: value) {
            $0.method = .customHeader
            $0.headerName = "x-real-ip"
        }
        #expect(try outcome == expected.map { try found($0) } ?? .unknown)
    }

    @Test(arguments: [
        ("1.2.3.4", true), ("1.2.3.4:1", true), ("1.2.3.4:", false), ("1.2.3.4:99999", false), ("[::1]", true),
        ("[::1]:80", true), ("[::1", false), ("::1", true), ("[1.2.3.4]x", false), ("", false), ("unknown", false),
    ]) func entries(_ text: String, _ isAddress: Bool) {
        #expect((text.withView { ClientAddress.address($0) } != nil) == isAddress)
    }
}
