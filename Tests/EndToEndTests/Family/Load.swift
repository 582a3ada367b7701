import Core
import IO
import Support
import Synchronization

/// Clients on threads of their own that ask without pause until they are told to stop. A client whose connection is
/// gone opens another one.
final class Load: Sendable {
    struct Tally {
        var answered = 0
        /// Exchanges under way whose connection broke.
        var broken = 0
        /// Connections that were refused, or broke before a first answer.
        var refused = 0
        /// Clients whose connection has not brought an answer yet.
        var beginning = 0
        /// Answers other than 200.
        var wrong: [Int] = []
        var running = 0
        var stopped = false

        /// Nobody noticed anything.
        var isClean: Bool { broken == 0 && refused == 0 && wrong.isEmpty }
    }

    private let tally = Mutex(Tally())

    init(port: UInt16, clients: Int) {
        tally.withLock {
            $0.running = clients
            $0.beginning = clients
        }
        for _ in 0..<clients {
            Threads.start { [self] in
                while !tally.withLock({ $0.stopped }) { converse(port) }
                tally.withLock { $0.running -= 1 }
            }
        }
    }

    private func converse(_ port: UInt16) {
        var answered = 0
        do {
            let client = try Client(port: port)
            while !tally.withLock({ $0.stopped }) {
                let response = try client.request()
                let status = response.status
                answered += 1
                tally.withLock { tally in
                    tally.answered += 1
                    if answered == 1 { tally.beginning -= 1 }
                    if status != 200 { tally.wrong.append(status) }
                }
                if response["connection"]?.lowercased() == "close" {
                    tally.withLock { $0.beginning += 1 }
                    return
                }
            }
        } catch {
            tally.withLock { tally in
                if answered > 0 {
                    tally.broken += 1
                    tally.beginning += 1
                } else {
                    tally.refused += 1
                }
            }
        }
    }

    var answered: Int { tally.withLock { $0.answered } }

    /// Waits for so many more answers, and until each client has had one on its connection.
    func waitForMore(_ count: Int) throws {
        let goal = answered + count
        try Wait.until("\(count) more answers") { tally.withLock { $0.answered >= goal && $0.beginning == 0 } }
    }

    func stop() throws -> Tally {
        tally.withLock { $0.stopped = true }
        try Wait.until("the clients to end") { tally.withLock { $0.running } == 0 }
        return tally.withLock { tally in tally }
    }
}
