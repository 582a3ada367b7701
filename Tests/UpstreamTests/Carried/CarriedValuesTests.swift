import Core
import Testing

@testable import Upstream

@Suite struct CarriedValuesTests {
    private let values: CarriedValues
    private let now = Instant(nanoseconds: 1_000_000_000_000)

    init() {
        let base = UnsafeMutableRawPointer.allocate(byteCount: CarriedValues.size, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: CarriedValues.size)
        values = CarriedValues(base: base)
    }

    private func find(_ key: UInt64, _ now: Instant) -> String? {
        var out = ByteBuffer()
        return values.find(key, now: now, appendTo: &out) ? out.view.string : nil
    }

    @Test(arguments: [
        "v", "v2", "12345678", "123456789", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef",
    ])
    func valuesComeBackAsTheyWere(value: String) {
        value.withView { values.note(42, $0, now: now) }
        #expect(find(42, now) == value)
        #expect(find(42 + UInt64(CarriedValues.entries), now) == nil)
    }

    @Test func aValueThatIsTooLongIsNotKept() {
        String(repeating: "x", count: CarriedValues.longestValue + 1).withView { values.note(1, $0, now: now) }
        "".withView { values.note(2, $0, now: now) }
        #expect(find(1, now) == nil)
        #expect(find(2, now) == nil)
    }

    @Test func valuesAgeAndAreRenewed() {
        "v1".withView { values.note(7, $0, now: now) }
        #expect(find(7, now + CarriedValues.life) == "v1")
        #expect(find(7, now + CarriedValues.life + .seconds(2)) == nil)
        "v2".withView { values.note(7, $0, now: now + .seconds(60)) }
        #expect(find(7, now + CarriedValues.life + .seconds(2)) == "v2")
    }

    @Test func whatIsFullLosesTheOldest() {
        // All in one set.
        let step = UInt64(CarriedValues.entries)
        for index in 0..<UInt64(6) {
            "v\(index)".withView { values.note(3 + index * step, $0, now: now + .seconds(Int64(index))) }
        }
        let known = (0..<UInt64(6)).map { find(3 + $0 * step, now + .seconds(10)) }
        #expect(known == [nil, nil, "v2", "v3", "v4", "v5"])
    }

    @Test func manyKeysNeverGetEachOthersValues() {
        var random = SeededRandom(seed: 5)
        var keys: [UInt64: String] = [:]
        for index in 0..<50_000 {
            let key = random.next()
            keys[key] = "\(index)"
            "\(index)".withView { values.note(key, $0, now: now) }
        }
        var found = 0
        for (key, value) in keys {
            guard let known = find(key, now) else { continue }
            #expect(known == value)
            found += 1
        }
        #expect(found > CarriedValues.entries * 9 / 10)
    }
}
