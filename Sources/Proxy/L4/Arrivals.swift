import Core
import Telemetry

/// An accepted connection that has nothing to say yet: its PROXY header, its ClientHello or its handshake is awaited.
protocol Awaited: AnyObject {
    /// Its place among those that wait; theirs alone.
    var awaitedIndex: Int { get set }
    /// Its place is needed: it ends without a word.
    func giveUp()
}

/// The accepted connections that wait: for what tells what they are, or for the end of a TLS handshake. Does not own them.
///
/// Limit: ``limit``, which bounds the memory of half-made connections. Past it one of those that wait, drawn at random, is closed: whoever speaks at once is hardly ever hit,
/// whoever fills the places with silence mostly hits himself.
final class Arrivals {
    /// Connections that wait for a PROXY header, a ClientHello or the end of a handshake.
    var limit = 2048
    private var waiting: [any Awaited] = []
    private let worker: Worker

    init(worker: Worker) { self.worker = worker }

    var count: Int { waiting.count }

    func add(_ arrival: any Awaited) {
        if waiting.count >= limit {
            worker.statistics.increment(.arrivalsEvicted)
            waiting[Int(worker.random.next() % UInt64(waiting.count))].giveUp()
        }
        arrival.awaitedIndex = waiting.count
        waiting.append(arrival)
        worker.statistics.increment(.arrivalsNow)
    }

    func remove(_ arrival: any Awaited) {
        let index = arrival.awaitedIndex
        guard index >= 0 else { return }
        arrival.awaitedIndex = -1
        let last = waiting.removeLast()
        if last !== arrival {
            waiting[index] = last
            last.awaitedIndex = index
        }
        worker.statistics.decrement(.arrivalsNow)
    }
}
