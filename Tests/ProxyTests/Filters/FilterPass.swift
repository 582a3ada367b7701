import Config
import Core
import Telemetry
import Testing

@testable import Proxy

/// One request through a worker with one rule; for the tests of filters.
struct FilterPass {
    let harness: WorkerHarness
    let client: RawSocket

    init(_ change: (inout RulePlan) -> Void) throws {
        harness = try WorkerHarness(rules: [WorkerHarness.rule("/", to: 0, change)])
        client = try harness.connect()
    }

    /// What the backend gets of `request`, which it answers with `response`.
    func toBackend(
        _ request: String, _ response: String = HeadTests.ok, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        client.send(request)
        let backend = try harness.acceptBackend(sourceLocation: sourceLocation)
        harness.expect(backend, toReceive: "\r\n\r\n", sourceLocation: sourceLocation)
        backend.send(response)
        harness.expect(client, toReceive: "\r\n\r\n", sourceLocation: sourceLocation)
        return backend.received
    }

    /// The answer to `request` where no backend is asked.
    func answer(
        _ request: String, until end: String = "\r\n\r\n", sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        client.send(request)
        harness.expect(client, toReceive: end, sourceLocation: sourceLocation)
        harness.settle()
        client.receive()
        #expect(try harness.tryAcceptBackend() == nil, sourceLocation: sourceLocation)
        return client.received
    }

    static let get = "GET /a?b HTTP/1.1\r\nHost: old.example\r\n\r\n"
}
