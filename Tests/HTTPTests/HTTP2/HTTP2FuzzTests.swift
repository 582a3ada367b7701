import Core
import Testing

@testable import HTTP

@Suite("HTTP/2 frames by chance") struct HTTP2FuzzTests {
    typealias F = Frame

    /// A conversation's worth of frames, most of them legal in some order.
    private func frame(_ random: inout SeededRandom, _ last: inout UInt32) -> [UInt8] {
        let stream = UInt32.random(in: 0...(last / 2 + 1), using: &random) * 2 + 1
        switch Int.random(in: 0..<14, using: &random) {
        case 0...3:
            last += 2
            return F.headers(
                last, Bool.random(using: &random) ? F.get("/\(last)", [("a", "b")]) : F.post(),
                end: Bool.random(using: &random),
                last: Int.random(in: 0..<8, using: &random) > 0)
        case 4: return F.continuation(last, F.fields([("c", "d")]), last: Bool.random(using: &random))
        case 5:
            return F.data(
                stream, String(repeating: "x", count: Int.random(in: 0..<3000, using: &random)),
                end: Bool.random(using: &random))
        case 6: return F.reset(stream)
        case 7:
            return F.window(Bool.random(using: &random) ? 0 : stream, UInt32.random(in: 0..<100_000, using: &random))
        case 8:
            return F.settings([
                (UInt16.random(in: 0..<10, using: &random), UInt32.random(in: 0..<70000, using: &random))
            ])
        case 9: return F.ping()
        case 10: return F.priority(stream)
        case 11: return F.headers(stream, F.fields([("t", "u")]))
        case 12:
            return F.raw(
                UInt8.random(in: 0..<30, using: &random), flags: .random(in: 0...255, using: &random), stream: stream,
                (0..<Int.random(in: 0..<40, using: &random)).map { _ in .random(in: 0...255, using: &random) })
        default: return F.raw(0xAA, stream: stream)
        }
    }

    @Test(arguments: UInt64(0)..<300) func conversations(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let wire = Wire(opening: false)
        wire.answers = true
        var octets = F.preface + F.settings()
        var last: UInt32 = 0
        for _ in 0..<60 { octets += frame(&random, &last) }
        if seed % 2 == 1 {
            for _ in 0..<Int.random(in: 1..<6, using: &random) {
                octets[Int.random(in: 24..<octets.count, using: &random)] = .random(in: 0...255, using: &random)
            }
        }
        var at = 0
        while at < octets.count {
            let piece = min(octets.count - at, Int.random(in: 1..<4000, using: &random))
            wire.receive(Array(octets[at..<(at + piece)]))
            at += piece
            wire.now = wire.now + .milliseconds(5)
        }
        // Whatever came: nothing is kept that is over, and what was announced is accounted for.
        #expect(wire.session.lanes.count <= 100, "seed \(seed)")
        for lane in wire.session.lanes { #expect(lane.closedWith == nil, "seed \(seed)") }
        #expect(wire.lanes.count <= wire.session.lanes.count + (wire.session.isOver ? 100 : 0), "seed \(seed)")
    }
}
