import Core

/// What all workers know of the endpoints at this moment, in the family's shared memory: requests in flight by endpoint.
///
/// One row a slot, one word a worker in it; each word has one writer, so counting is plain memory, and a respawned worker
/// clears its own words: what it had in flight died with it. A slot belongs to an endpoint's identity (``EndpointConfig``).
public struct LiveState: @unchecked Sendable {
    /// Endpoints that have a place of their own; as many as the shared statistics have.
    public static let slotLimit = 32_768

    private let words: UnsafeMutablePointer<UInt32>
    private let workers: Int
    private let worker: Int

    /// Octets for so many workers.
    public static func size(workers: Int) -> Int { slotLimit * workers * MemoryLayout<UInt32>.stride }

    /// - Parameters:
    ///   - base: the mapped block, of at least `size(workers:)` octets.
    ///   - worker: whose words are written through this value.
    public init(base: UnsafeMutableRawPointer, workers: Int, worker: Int) {
        precondition(worker >= 0 && worker < workers)
        words = base.assumingMemoryBound(to: UInt32.self)
        self.workers = workers
        self.worker = worker
    }

    private func word(_ slot: UInt32, _ worker: Int) -> UnsafeMutablePointer<UInt32> {
        precondition(Int(slot) < Self.slotLimit, "no such slot")
        return words + Int(slot) * workers + worker
    }

    /// To be called when a worker's process begins: nothing of its predecessor is in flight.
    public func begin() {
        // Only rows in use are written: touching all of them would give the sparse block its memory.
        for slot in 0..<UInt32(Self.slotLimit) where word(slot, worker).pointee != 0 { word(slot, worker).pointee = 0 }
    }

    public func requestBegan(_ slot: UInt32) { word(slot, worker).pointee &+= 1 }
    public func requestEnded(_ slot: UInt32) { word(slot, worker).pointee &-= 1 }

    /// Requests in flight at an endpoint, of all workers.
    public func inFlight(_ slot: UInt32) -> Int {
        (0..<workers).reduce(0) { $0 + Int(word(slot, $1).pointee) }
    }
}
