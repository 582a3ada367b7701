import Core
import IO
import Testing

@testable import Proxy

/// The table of hosts that requests name themselves.
@Suite struct DynamicHostsTests {
    private final class Patient: DynamicHosts.Waiter {
        func hostResolved(_ outcome: DynamicHosts.Outcome) {}
    }

    /// A server that says nothing has all hosts be waited for.
    @Test func whenAllHostsAreBeingAskedForThereIsNoPlaceForOneMore() throws {
        let harness = try WorkerHarness()
        let silent = try Socket.listen(ListeningAddress(.udp, SocketAddress(ip: WorkerHarness.loopback, port: 0)))
        let port = try #require(Socket.localAddress(silent.raw)).port
        let hosts = DynamicHosts(worker: harness.worker, servers: "127.0.0.1:\(port)")
        let patient = Patient()
        func resolve(_ name: String) -> DynamicHosts.Outcome {
            Array(name.utf8).withView { hosts.resolve($0, for: patient) }
        }
        for number in 0..<DynamicHosts.hostLimit {
            guard case .waiting = resolve("h\(number).test") else {
                Issue.record("host \(number) is not waited for")
                return
            }
        }
        guard case .overloaded = resolve("one-more.test") else {
            Issue.record("there is a place for one more")
            return
        }
        // One that is known has its own.
        guard case .waiting = resolve("h0.test") else {
            Issue.record("a host that is being asked for is not known")
            return
        }
        // Its questions would be answered when it ends, which it does with its process alone.
        _ = Unmanaged.passRetained(hosts)
    }

    /// Names below `localhost` have their answer at once: each makes room for the next.
    @Test func hostsThatAreKnownMakeRoom() throws {
        let harness = try WorkerHarness()
        let hosts = DynamicHosts(worker: harness.worker, servers: nil)
        let patient = Patient()
        for number in 0..<(3 * DynamicHosts.hostLimit) {
            let outcome = Array("h\(number).localhost".utf8).withView { hosts.resolve($0, for: patient) }
            guard case .addresses = outcome else {
                Issue.record("host \(number): \(outcome)")
                return
            }
        }
        #expect(hosts.count == DynamicHosts.hostLimit)
    }
}
