import Core
import Testing
import Upstream

@Suite("sluice.dev/split-key: the choice") struct KeyedSplitTests {
    private func pick(_ key: UInt64, _ backends: [(identity: UInt64, weight: UInt64)]) -> UInt64? {
        KeyedSplit.pick(
            key: key, count: backends.count, identity: { backends[$0].identity }, weight: { backends[$0].weight }
        ).map { backends[$0].identity }
    }

    private static func keys(_ count: Int) -> [UInt64] {
        var random = SeededRandom(seed: 4711)
        return (0..<count).map { _ in random.next() }
    }

    @Test("Raising the canary moves nobody back", arguments: 0..<50)
    func monotone(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let (stable, canary) = (random.next(), random.next())
        var onCanary = Set<UInt64>()
        for weight in [0, 1, 5, 20, 50, 80, 99, 100] as [UInt64] {
            var now = Set<UInt64>()
            for key in Self.keys(2000) where pick(key, [(stable, 100 - weight), (canary, weight)]) == canary {
                now.insert(key)
            }
            #expect(onCanary.isSubset(of: now), "seed \(seed), weight \(weight)")
            onCanary = now
        }
        #expect(onCanary.count == 2000)
    }

    @Test("Of n backends a key leaves only for one that has grown more", arguments: 0..<200)
    func monotoneOfMany(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed) &* 7919)
        let count = Int.random(in: 2...8, using: &random)
        let before = (0..<count).map { _ in (random.next(), UInt64.random(in: 1...100, using: &random)) }
        var after = before
        for i in after.indices where Bool.random(using: &random) { after[i].1 = .random(in: 1...200, using: &random) }
        func growth(_ identity: UInt64) -> Double {
            let i = before.firstIndex { $0.0 == identity }!
            return Double(after[i].1) / Double(before[i].1)
        }
        // The order in which they are listed means nothing.
        let listed = after.shuffled(using: &random)
        for key in Self.keys(500) {
            guard let old = pick(key, before), let new = pick(key, listed) else { return #expect(Bool(false)) }
            if old != new { #expect(growth(new) > growth(old), "seed \(seed)") }
        }
    }

    @Test func sharesAreTheWeights() {
        let backends: [(identity: UInt64, weight: UInt64)] = [(11, 70), (22, 25), (33, 5), (44, 0)]
        var counts: [UInt64: Int] = [:]
        for key in Self.keys(100_000) { counts[pick(key, backends)!, default: 0] += 1 }
        for (identity, weight) in backends {
            #expect(abs(counts[identity, default: 0] - Int(weight) * 1000) < 700, "\(identity)")
        }
        #expect(counts[44] == nil)
    }

    @Test func noWeightIsNoChoice() {
        #expect(pick(1, [(1, 0), (2, 0)]) == nil)
        #expect(pick(1, []) == nil)
    }
}
