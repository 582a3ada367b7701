import Core
import Testing

@testable import HTTP

@Suite struct GRPCTests {
    @Test(
        arguments: [
            ("1S", 1_000_000_000), ("100m", 100_000_000), ("5u", 5_000), ("7n", 7), ("2M", 120_000_000_000),
            ("1H", 3_600_000_000_000), ("99999999S", 99_999_999_000_000_000),
        ] as [(String, Int64)])
    func timeouts(text: String, nanoseconds: Int64) {
        #expect(text.withByteView { GRPCTimeout.parse($0) } == .nanoseconds(nanoseconds))
    }

    @Test(arguments: ["", "S", "1", "1s", "-1S", "+1S", "1 S", "123456789S", "0S", "99999999H", "1.5S"])
    func whatIsNoTimeout(text: String) { #expect(text.withByteView { GRPCTimeout.parse($0) } == nil) }

    @Test(arguments: [
        ("application/grpc", true), ("application/grpc+proto", true), ("application/grpc;charset=x", true),
        ("Application/GRPC", true), ("application/grpc-web", false), ("application/grpc-web+proto", false),
        ("application/json", false), ("application/grp", false), ("", false),
    ])
    func contentTypes(value: String, isGRPC: Bool) {
        var buffer = ByteBuffer()
        buffer.append(string: "POST /a/b HTTP/1.1\r\nHost: a\r\nContent-Type: \(value)\r\n\r\n")
        var parser = RequestHeadParser()
        var head = RequestHead()
        guard case .complete = parser.parse(buffer.view, into: &head, limits: .request) else {
            Issue.record("refused")
            return
        }
        #expect(GRPCStatus.isGRPC(head.fields, buffer.view) == isGRPC)
    }

    @Test(
        arguments: [
            (400, 13), (401, 16), (403, 7), (404, 12), (429, 8), (502, 14), (503, 14), (504, 14), (500, 2), (421, 2),
        ] as [(UInt16, UInt8)])
    func statuses(http: UInt16, grpc: UInt8) {
        #expect(GRPCStatus(answering: http, isTimeout: false).rawValue == grpc)
    }

    @Test func waitingInVainIsSaidSo() { #expect(GRPCStatus(answering: 504, isTimeout: true) == .deadlineExceeded) }

    @Test func theAnswerIsAllHead() {
        var out = ByteBuffer()
        var date = HTTPDate()
        GRPCStatus.unavailable.writeAnswer(ByteView("no endpoint is ready"), date: &date, unixSeconds: 0, to: &out)
        let text = out.view.string
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(text.hasSuffix("\r\ngrpc-status: 14\r\ngrpc-message: no endpoint is ready\r\n\r\n"))
    }
}

extension String {
    fileprivate func withByteView<R>(_ body: (ByteView) -> R) -> R {
        var copy = self
        return copy.withUTF8 { body(ByteView($0.baseAddress, count: $0.count)) }
    }
}
