/// Which few of many queues a flow may wait in: a hand of cards, dealt by the flow's hash (shuffle sharding).
///
/// Two flows that share one queue seldom share a whole hand: of 128 queues and hands of four there are ten million, so a heavy
/// flow that fills its own hand leaves every other flow, almost surely, a queue of its own.
public enum ShuffleShard {
    /// Cards of a hand.
    public static let handSize = 4

    /// The hand of a flow: four different numbers below `deck`, the same for the same flow.
    /// - Parameter deck: how many queues there are; at least ``handSize``.
    public static func hand(of flow: UInt64, deck: Int) -> SIMD4<Int32> {
        precondition(deck >= handSize, "fewer queues than a hand has cards")
        var rest = mix(flow)
        var hand = SIMD4<Int32>(repeating: 0)
        for card in 0..<handSize {
            // The place of the card among those that are left, then past those that were dealt before, from the lowest up.
            let left = UInt64(deck - card)
            var drawn = Int32(truncatingIfNeeded: rest % left)
            rest /= left
            var passed = Int32(-1)
            for _ in 0..<card {
                let lowest = least(of: hand, count: card, above: passed)
                if drawn >= lowest { drawn += 1 } else { break }
                passed = lowest
            }
            hand[card] = drawn
        }
        return hand
    }

    private static func least(of hand: SIMD4<Int32>, count: Int, above: Int32) -> Int32 {
        var least = Int32.max
        for index in 0..<count where hand[index] > above && hand[index] < least { least = hand[index] }
        return least
    }

    /// The finalizer of SplitMix64: neighbouring hashes deal unrelated hands.
    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
