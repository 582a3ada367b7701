/// Which place of a table in shared memory belongs to which identity. A place is given once and stays its identity's for the
/// family's life. The list of identities lies in shared memory too, so that a process that comes back gives everyone the
/// place they had. One process gives places away; the others are told.
public final class SlotTable {
    private let count: UnsafeMutablePointer<UInt64>
    private let identities: UnsafeMutablePointer<UInt64>
    private let limit: Int
    private var known: [UInt64: UInt32] = [:]

    /// Takes up what an earlier process of this family gave away.
    /// - Parameters:
    ///   - used: the shared word that says how many places are given away.
    ///   - identities: `limit` shared words; number 0 is never written.
    ///   - limit: places, with number 0, which stands for all that came after the last was given away.
    public init(used: UnsafeMutablePointer<UInt64>, identities: UnsafeMutablePointer<UInt64>, limit: Int) {
        count = used
        self.identities = identities
        self.limit = limit
        let given = min(Int(clamping: used.pointee), limit - 1)
        for slot in 0..<given { known[identities[slot + 1]] = UInt32(slot + 1) }
    }

    /// How many are given away, number 0 not counted.
    public var used: Int { known.count }

    /// The place of this identity; 0 when all are given away.
    public func slot(for identity: UInt64) -> UInt32 {
        if let slot = known[identity] { return slot }
        let slot = known.count + 1
        guard slot < limit else { return 0 }
        identities[slot] = identity
        // Written after the identity: a process that comes back never sees a number without its owner.
        count.pointee = UInt64(slot)
        known[identity] = UInt32(slot)
        return UInt32(slot)
    }
}
