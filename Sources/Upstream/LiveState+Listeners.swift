/// Connections of listeners whose clients a policy manages, counted in all workers together. A worker's number is its own
/// word; a worker that dies takes its connections with it, and ``LiveState/begin()`` clears the word.
extension LiveState {
    private func connections(_ slot: UInt32, worker: Int) -> SharedWord {
        SharedWord(listeners.own(slot, worker: worker))
    }

    /// Of all workers.
    public func connections(listener slot: UInt32) -> UInt64 {
        (0..<listeners.workerCount).reduce(0) { $0 &+ connections(slot, worker: $1).value }
    }

    /// Counts one more connection of this worker.
    /// - Parameter limit: how many there may be; 0: any number.
    /// - Returns: false, and nothing is counted, when there would be more. Of two workers that count at once each sees the
    ///   other, so the limit is never passed; at worst both give way.
    public func connectionBegan(listener slot: UInt32, limit: UInt32) -> Bool {
        let own = connections(slot, worker: worker)
        own.value &+= 1
        guard limit > 0 else { return true }
        SharedWord.fence()
        if connections(listener: slot) <= UInt64(limit) { return true }
        own.value &-= 1
        return false
    }

    public func connectionEnded(listener slot: UInt32) { connections(slot, worker: worker).value &-= 1 }
}
