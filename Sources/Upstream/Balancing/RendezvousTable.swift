import Glibc

/// Consistent hashing: a table whose places each belong to the endpoint that ranks first there (rendezvous hashing; weighted
/// as Schindelhauer and Schomaker have it).
///
/// A request's hash names a place. Ranks depend on place and endpoint alone, so an endpoint that goes moves its own places
/// and no others, and one that comes takes only what becomes its own: no disruption beyond the least possible, which
/// Maglev's permutations only come near to. A place is ranked when it is first asked for, so that neither a reload nor a
/// large table costs a pause; the memory of places that are never asked for is not taken. Endpoints that are not usable stay
/// in the table and are passed over by rank: when they come back, so do their requests.
public final class RendezvousTable {
    /// Endpoints of one table; more are ranked for each request.
    public static let largest = 65_534

    private let keys: [UInt64]
    /// Nil: all have the same.
    private let weights: [Double]?
    private let size: UInt64
    /// Index of the endpoint plus one; 0: not ranked yet.
    private let places: UnsafeMutablePointer<UInt16>?

    /// - Parameters:
    ///   - keys: of the endpoints, ``Candidate/key``.
    ///   - weights: their shares; those without one get nothing.
    public init(keys: [UInt64], weights: [Double]?, size: UInt32) {
        precondition(size > 0)
        self.keys = keys
        if let weights, let first = weights.first, weights.contains(where: { $0 != first }) {
            self.weights = weights
        } else {
            self.weights = nil
        }
        self.size = UInt64(size)
        // calloc(3) takes fresh pages for a large block, which are zero and not there until they are written.
        places =
            keys.count > Self.largest
            ? nil : calloc(Int(size), MemoryLayout<UInt16>.stride)?.assumingMemoryBound(to: UInt16.self)
    }

    deinit { free(places) }

    public func isSame(keys: [UInt64], weights: [Double]?, size: UInt32) -> Bool {
        let flat = weights.flatMap { all in all.contains { $0 != all[0] } ? all : nil }
        return self.keys == keys && self.size == UInt64(size) && self.weights == flat
    }

    /// The endpoint of a hash. Nil: there is none.
    public func first(_ hash: UInt64) -> Int? {
        guard !keys.isEmpty else { return nil }
        let place = hash % size
        guard let places else { return best(place) { _ in true } }
        let known = places[Int(place)]
        if known != 0 { return Int(known) - 1 }
        let found = best(place) { _ in true }
        if let found { places[Int(place)] = UInt16(found + 1) }
        return found
    }

    /// The endpoint of a hash among those that are allowed. Nil: there is none.
    @inlinable public func first(_ hash: UInt64, where isAllowed: (Int) -> Bool) -> Int? {
        guard let first = first(hash) else { return nil }
        return isAllowed(first) ? first : next(hash, where: isAllowed)
    }

    @usableFromInline func next(_ hash: UInt64, where isAllowed: (Int) -> Bool) -> Int? {
        best(hash % size, where: isAllowed)
    }

    private func best(_ place: UInt64, where isAllowed: (Int) -> Bool) -> Int? {
        let seed = HashMix.mix(place &+ 0x9E37_79B9_7F4A_7C15)
        var found: Int?
        if let weights {
            var best = -Double.infinity
            for index in keys.indices where weights[index] > 0 && isAllowed(index) {
                // Uniform in (0, 1); −weight / ln(u) is largest for each in proportion to its weight.
                let u = (Double(HashMix.mix(seed ^ keys[index]) >> 11) + 0.5) * 0x1p-53
                let score = -weights[index] / log(u)
                if score > best {
                    best = score
                    found = index
                }
            }
            return found
        }
        var best: UInt64 = 0
        for index in keys.indices where isAllowed(index) {
            let score = HashMix.mix(seed ^ keys[index])
            if found == nil || score > best {
                best = score
                found = index
            }
        }
        return found
    }
}

/// Tables by content: clusters of the same endpoints share one.
public final class RendezvousTables {
    private struct Entry { weak var table: RendezvousTable? }
    private var entries: [Entry] = []

    public init() {}

    public func table(keys: [UInt64], weights: [Double]?, size: UInt32) -> RendezvousTable {
        entries.removeAll { $0.table == nil }
        for entry in entries {
            if let table = entry.table, table.isSame(keys: keys, weights: weights, size: size) { return table }
        }
        let table = RendezvousTable(keys: keys, weights: weights, size: size)
        entries.append(Entry(table: table))
        return table
    }
}
