import Core
import Testing

@Suite struct SparesTests {
    private final class Thing {
        let number: Int
        let gone: (Int) -> Void
        init(_ number: Int, gone: @escaping (Int) -> Void = { _ in }) {
            self.number = number
            self.gone = gone
        }
        deinit { gone(number) }
    }

    @Test func theLastOneGoesFirst() {
        var spares = Spares<Thing>(limit: 3)
        var taken = [spares.take()?.number]
        for number in 1...3 { spares.put(Thing(number)) }
        var isFull = [spares.isFull]
        for _ in 0..<2 { taken.append(spares.take()?.number) }
        isFull.append(spares.isFull)
        spares.put(Thing(4))
        for _ in 0..<3 { taken.append(spares.take()?.number) }
        #expect(taken == [nil, 3, 2, 4, 1, nil])
        #expect(isFull == [true, false])
    }

    @Test func whatIsKeptLivesAndWhatIsNotGoes() {
        var gone: [Int] = []
        do {
            var spares = Spares<Thing>(limit: 2)
            for number in 1...3 { spares.put(Thing(number) { gone.append($0) }) }
            #expect(gone == [3])
            let taken = spares.take()
            #expect(gone == [3])
            #expect(taken?.number == 2)
        }
        #expect(gone.sorted() == [1, 2, 3])
    }
}
