import Core
import Telemetry

/// The accepted connections of which it is not known yet what they are. Does not own them.
///
/// Limit: ``limit``. Past it one of those that wait, drawn at random, is closed: whoever speaks at once is hardly ever hit,
/// whoever fills the places with silence mostly hits himself.
final class Arrivals {
    /// Connections that wait for a PROXY header or a ClientHello.
    var limit = 1024
    private var waiting: [Arrival] = []
    private let worker: Worker

    init(worker: Worker) { self.worker = worker }

    var count: Int { waiting.count }

    func add(_ arrival: Arrival) {
        if waiting.count >= limit {
            worker.statistics.increment(.arrivalsEvicted)
            waiting[Int(worker.random.next() % UInt64(waiting.count))].close()
        }
        arrival.arrivalsIndex = waiting.count
        waiting.append(arrival)
        worker.statistics.increment(.arrivalsNow)
    }

    func remove(_ arrival: Arrival) {
        let index = arrival.arrivalsIndex
        guard index >= 0 else { return }
        arrival.arrivalsIndex = -1
        let last = waiting.removeLast()
        if last !== arrival {
            waiting[index] = last
            last.arrivalsIndex = index
        }
        worker.statistics.decrement(.arrivalsNow)
    }
}
