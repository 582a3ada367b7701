/// One table of the live state: for each slot a part that all processes write, atomically, and a part for each worker,
/// which it alone writes and all read. Fresh memory, all zero, is a valid table; memory is taken only where it is written.
public struct LiveArea: @unchecked Sendable {
    /// How much of what.
    public struct Layout: Sendable {
        /// Places, with number 0, which stands for all that have none of their own.
        public let slots: Int
        /// Octets of the common part; a multiple of 64, so that no two slots share a line.
        public let common: Int
        /// Octets of one worker's part; a multiple of eight.
        public let own: Int

        public func size(workers: Int) -> Int { slots * (common + own * workers) }
    }

    public let layout: Layout
    private let base: UnsafeMutableRawPointer
    private let workers: Int

    init(_ layout: Layout, base: UnsafeMutableRawPointer, workers: Int) {
        self.layout = layout
        self.base = base
        self.workers = workers
    }

    public var workerCount: Int { workers }

    @inline(__always) public func common(_ slot: UInt32) -> UnsafeMutableRawPointer {
        precondition(Int(slot) < layout.slots, "no such slot")
        return base + Int(slot) * layout.common
    }

    /// The parts of a slot's workers lie one after the other, `layout.own` octets each.
    @inline(__always) public func own(_ slot: UInt32, worker: Int) -> UnsafeMutableRawPointer {
        precondition(Int(slot) < layout.slots && worker < workers, "no such slot")
        return base + layout.slots * layout.common + (Int(slot) * workers + worker) * layout.own
    }

    /// Clears a worker's part of the first `used` slots, and of number 0: a worker begins, and what its predecessor had is
    /// gone with it.
    func clear(worker: Int, used: Int) {
        for slot in 0...UInt32(min(used, layout.slots - 1)) {
            let part = own(slot, worker: worker).assumingMemoryBound(to: UInt64.self)
            for word in 0..<(layout.own / 8) where part[word] != 0 { part[word] = 0 }
        }
    }
}
