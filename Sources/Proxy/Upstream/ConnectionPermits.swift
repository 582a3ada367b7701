import Upstream

/// The permits of one endpoint's connections: its cluster's (`circuitBreaker.maxConnections`), and its own
/// (`perEndpoint.maxConnections`). Owned by the endpoint, and given back with it: its connections live no longer.
final class ConnectionPermits {
    private let breaker: Breaker
    private let liveState: LiveState
    private let slot: UInt32
    /// One for each connection that is open or being made.
    private var held = 0
    /// Of those, what was taken for a connection that is about to be made.
    private var prepared = 0

    init(_ breaker: Breaker, _ liveState: LiveState, slot: UInt32) {
        self.breaker = breaker
        self.liveState = liveState
        self.slot = slot
    }

    deinit {
        while held > 0 { giveBack() }
    }

    /// Whether a connection that is made next has its permits already.
    var isPrepared: Bool { prepared > 0 }

    /// Takes those for one connection; each is given back by ``giveBack()``.
    /// - Parameter makeRoom: closes a connection that nobody uses; false: there is none.
    func take(orAfter makeRoom: () -> Bool) -> Bool {
        guard breaker.takeConnection() else { return false }
        if let limit = breaker.limits.maxConnectionsPerEndpoint {
            guard
                liveState.takeConnection(slot, limit: limit)
                    || makeRoom() && liveState.takeConnection(slot, limit: limit)
            else {
                breaker.putBackConnection()
                return false
            }
        } else {
            liveState.connectionBegan(slot)
        }
        held += 1
        return true
    }

    /// As ``take(orAfter:)``, for ``use(orAfter:)`` soon after.
    func prepare(orAfter makeRoom: () -> Bool) -> Bool {
        guard take(orAfter: makeRoom) else { return false }
        prepared += 1
        return true
    }

    /// What was prepared, or taken now.
    func use(orAfter makeRoom: () -> Bool) -> Bool {
        guard prepared > 0 else { return take(orAfter: makeRoom) }
        prepared -= 1
        return true
    }

    /// A connection has ended, or was never made.
    func giveBack() {
        precondition(held > 0, "a connection ended that was not counted")
        held -= 1
        liveState.connectionEnded(slot)
        breaker.giveConnection()
    }
}
