import Config
import Core
import Testing

@testable import Controller

@Suite("Self-preservation")
struct SelfPreservationTests {
    /// Endpoints in use: a capital letter is one that passes its checks, a small one that does not; with `'` it is stale.
    struct Row: Sendable {
        var name: String
        var inUse: String
        var next: String
        var leaving = ""
        var kept: String
    }

    static let rows = [
        Row(name: "nothing goes", inUse: "ABC", next: "ABC", kept: ""),
        Row(name: "one of three goes", inUse: "ABC", next: "AB", kept: ""),
        Row(name: "half goes", inUse: "ABCD", next: "AB", kept: ""),
        Row(name: "more than half goes", inUse: "ABC", next: "A", kept: "BC"),
        Row(name: "all go", inUse: "ABC", next: "", kept: "ABC"),
        Row(name: "others come in their place", inUse: "ABC", next: "XYZ", kept: "ABC"),
        Row(name: "those that fail go", inUse: "Abc", next: "", kept: "A"),
        Row(name: "those that are said to go, go", inUse: "ABC", next: "", leaving: "BC", kept: ""),
        Row(name: "without them it is a collapse all the same", inUse: "ABCDE", next: "", leaving: "B", kept: "ACDE"),
        Row(name: "a stale one stays although nothing else goes", inUse: "ABC'", next: "AB", kept: "C"),
        Row(name: "a stale one that fails goes", inUse: "ABc'", next: "AB", kept: ""),
        Row(name: "a stale one is back", inUse: "AB'C'", next: "AB", kept: "C"),
        Row(name: "the only one goes", inUse: "A", next: "", kept: "A"),
        Row(name: "none was known", inUse: "", next: "A", kept: ""),
    ]

    private static func plan(_ letter: Character) -> EndpointPlan {
        let number = UInt8(Character(letter.uppercased()).asciiValue ?? 0)
        return EndpointPlan(address: SocketAddress(ip: IPAddress(v4: 10, 0, 0, number), port: 80))
    }

    @Test("what stays", arguments: rows)
    func kept(_ row: Row) {
        var inUse: [SelfPreservation.InUse] = []
        for letter in row.inUse {
            if letter == "'" {
                inUse[inUse.count - 1].isStale = true
            } else {
                inUse.append(.init(plan: Self.plan(letter), isPassing: letter.isUppercase, isStale: false))
            }
        }
        let kept = SelfPreservation.kept(
            inUse, next: Set(row.next.map { EndpointPlace(Self.plan($0)) }),
            leaving: Set(row.leaving.map { Self.plan($0).address }))
        #expect(kept == row.kept.map { Self.plan($0) }, "\(row.name)")
    }
}
