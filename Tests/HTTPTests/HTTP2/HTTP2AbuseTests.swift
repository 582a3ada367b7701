import Core
import Testing

@testable import HTTP

@Suite("RFC 9113, section 10.5: what a peer can do to us is bounded")
struct HTTP2AbuseTests {
    typealias F = Frame

    /// Sends until the connection ends; how often it was sent, nil when it never ended.
    private func flood(_ wire: Wire, most: Int, _ octets: (UInt32) -> [UInt8]) -> Int? {
        for i in 0..<most {
            wire.receive(octets(UInt32(i)))
            if case .connection(let code) = wire.outcome {
                #expect(code == .enhanceYourCalm)
                #expect(wire.session.isOver)
                return i + 1
            }
            wire.forgetSent()
        }
        return nil
    }

    @Test("CVE-2023-44487: rapid reset") func rapidReset() {
        let wire = Wire()
        let count = flood(wire, most: 5000) { F.headers($0 * 2 + 1, F.get()) + F.reset($0 * 2 + 1) }
        #expect(count == 201)
        #expect(wire.session.abuse == .resets)
        // The one whose RST_STREAM was the last straw.
        #expect(wire.session.lanes.count == 1)
    }

    @Test("a client that cancels half of what it asks for is served for ever") func honestCancels() {
        let wire = Wire()
        wire.answers = true
        for i in UInt32(0)..<2000 {
            let stream = i * 2 + 1
            wire.answers = i % 2 == 0
            wire.receive(F.headers(stream, F.get()))
            if i % 2 == 1 { wire.receive(F.reset(stream)) }
            wire.forgetSent()
        }
        #expect(wire.session.abuse == nil)
        #expect(wire.closed.count == 2000)
    }

    @Test func timeForgives() {
        let wire = Wire()
        for i in UInt32(0)..<1000 {
            wire.receive(F.headers(i * 2 + 1, F.get()) + F.reset(i * 2 + 1))
            wire.forgetSent()
            wire.now = wire.now + .milliseconds(20)
        }
        #expect(wire.session.abuse == nil)
    }

    @Test("CVE-2025-8671: streams that we are made to reset", arguments: ["window", "length", "malformed", "refused"])
    func madeYouReset(_ way: String) {
        let wire = Wire()
        if way == "refused" {
            // Beyond what our settings allow, before they are acknowledged.
            let early = Wire(opening: false)
            early.receive(F.preface + F.settings())
            for i in UInt32(0)..<100 { early.receive(F.headers(i * 2 + 1, F.get())) }
            early.forgetSent()
            let count = flood(early, most: 1000) { F.headers(201 + $0 * 2, F.get()) }
            #expect(count == 101)
            #expect(early.session.abuse == .provokedResets)
            return
        }
        let count = flood(wire, most: 1000) { i in
            let stream = i * 2 + 1
            switch way {
            case "window": return F.headers(stream, F.post(), end: false) + F.window(stream, (1 << 31) - 1)
            case "length":
                return F.headers(stream, F.post([("content-length", "1")]), end: false) + F.data(stream, "ab")
            default: return F.headers(stream, F.get("/", [("connection", "x")]))
            }
        }
        #expect(count == 101)
        #expect(wire.session.abuse == .provokedResets)
    }

    static let floods: [(String, [UInt8], ClosedRange<Int>, HTTP2Guard.Abuse)] = [
        ("PING", F.ping(), 450...550, .controlFrames),
        ("answers to PING", F.raw(6, flags: 1, [1, 2, 3, 4, 5, 6, 7, 8]), 450...550, .controlFrames),
        ("SETTINGS", F.settings(), 450...550, .controlFrames),
        ("SETTINGS with an entry", F.settings([(4, 65535)]), 450...550, .controlFrames),
        ("PRIORITY", F.priority(1), 450...550, .controlFrames),
        ("PRIORITY_UPDATE", F.raw(0x10, F.word(1) + Array("u=1".utf8)), 450...550, .controlFrames),
        ("unknown frames", F.raw(0xEE), 450...550, .controlFrames),
        ("empty DATA", F.data(1), 450...550, .controlFrames),
        ("padded DATA without content", F.raw(0, flags: 8, stream: 1, [3, 0, 0, 0]), 450...550, .controlFrames),
        ("WINDOW_UPDATE", F.window(0, 1), 950...1050, .windowUpdates),
        ("WINDOW_UPDATE of a stream", F.window(1, 1), 950...1050, .windowUpdates),
        ("RST_STREAM of one stream", F.reset(1), 190...210, .resets),
    ]

    @Test(arguments: floods)
    func flooded(_ what: String, _ frame: [UInt8], _ count: ClosedRange<Int>, _ abuse: HTTP2Guard.Abuse) {
        let wire = Wire()
        wire.receive(F.headers(1, F.post(), end: false))
        let ended = flood(wire, most: 20000) { _ in frame }
        #expect(ended.map { count.contains($0) } == true, "\(what): \(String(describing: ended))")
        #expect(wire.session.abuse == abuse)
    }

    /// The library passes over what comes on streams that are over; it is not free all the same.
    @Test func endsOfStreamsThatAreOver() throws {
        let wire = Wire()
        wire.answers = true
        wire.receive(F.headers(1, F.get()))
        wire.forgetSent()
        let ended = flood(wire, most: 20000) { _ in F.data(1, end: true) }
        #expect(ended.map { (450...550).contains($0) } == true, "\(String(describing: ended))")
        #expect(wire.session.abuse == .controlFrames)
    }

    /// Most calls of gRPC end so.
    @Test func requestsThatEndByAnEmptyFrame() {
        let wire = Wire()
        wire.answers = true
        for i in UInt32(0)..<5000 {
            wire.receive(F.headers(i * 2 + 1, F.post(), end: false) + F.data(i * 2 + 1, "x"))
            wire.receive(F.data(i * 2 + 1, end: true))
            wire.forgetSent()
        }
        #expect(wire.session.abuse == nil)
    }

    @Test("a PING with each frame of content is what some clients do") func honestPings() {
        let wire = Wire()
        wire.receive(F.headers(1, F.post(), end: false))
        for _ in 0..<5000 {
            wire.receive(F.data(1, "content") + F.ping())
            wire.forgetSent()
        }
        #expect(wire.session.abuse == nil)
    }

    @Test("a WINDOW_UPDATE or two for each frame that we send") func honestWindows() throws {
        let wire = Wire()
        wire.receive(F.settings([(4, 1 << 20)]) + F.window(0, 1 << 24) + F.headers(1, F.get()))
        let lane = try #require(wire.lanes[1])
        var text = ByteBuffer()
        text.append("HTTP/1.1 200 OK\r\n\r\n")
        wire.session.respond(on: lane, &text, length: text.count, ends: false)
        for _ in 0..<3000 {
            lane.output.append(string: "0123456789")
            wire.session.resume(lane)
            wire.produce()
            wire.receive(F.window(0, 10) + F.window(1, 10))
            wire.forgetSent()
        }
        #expect(wire.session.abuse == nil)
    }

    @Test("CVE-2024-28182: CONTINUATION without end") func continuations() {
        let wire = Wire()
        wire.receive(F.headers(1, [], last: false))
        let count = flood(wire, most: 1000) { _ in F.continuation(1, [0x82], last: false) }
        #expect(count == 9)
        #expect(wire.session.abuse == .continuations)
    }

    @Test("heads on streams that are over are decoded in vain") func ignoredHeads() {
        let wire = Wire()
        wire.receive(F.headers(1, F.get()) + F.reset(1))
        let small = flood(wire, most: 1000) { _ in F.headers(1, F.get()) }
        #expect(small.map { (400...550).contains($0) } == true)
        let large = Wire()
        large.receive(F.headers(1, F.get()) + F.reset(1))
        let block = F.get() + (0..<3000).flatMap { _ in F.field("a", "b") }
        let count = flood(large, most: 1000) { _ in F.headers(1, block) }
        #expect(count.map { $0 < 12 } == true)
        #expect(large.session.abuse == .ignoredHeads)
    }

    @Test("a peer that does not read: what waits for it is bounded") func doesNotRead() {
        let wire = Wire()
        for i in UInt32(0)..<400 {
            // Each request is answered; nothing is ever produced.
            F.headers(i * 2 + 1, F.get()).withView { wire.session.receive($0, now: wire.now) }
            wire.takeOnly()
            for lane in wire.session.lanes where !lane.headIsSent { wire.answer(lane) }
        }
        wire.produce()
        // The library refuses streams past our limit: with 100 open nothing more is taken.
        #expect(wire.outcome == .connection(.protocolError) || wire.session.abuse != nil)
        #expect(wire.heads.count == 100)
    }

    @Test("PINGs whose answers nobody reads") func answersPileUp() {
        var limits = HTTP2Limits()
        limits.abuse.controlFrames = .init(burst: 100_000, perSecond: 0)
        let wire = Wire(limits: limits)
        var count = 0
        while wire.session.abuse == nil, !wire.session.isOver, count < 10_000 {
            F.ping().withView { wire.session.receive($0, now: wire.now) }
            wire.takeOnly()
            count += 1
        }
        wire.produce()
        #expect(wire.frames(6).count <= 1000)
        #expect(wire.outcome == .connection(.enhanceYourCalm))
    }

    // MARK: stalls

    @Test("a window of an octet now and then does not hold a stream for ever") func stall() throws {
        let wire = Wire()
        wire.receive(F.settings([(4, 0)]) + F.headers(1, F.get()))
        let lane = try #require(wire.lanes[1])
        wire.answer(lane, String(repeating: "x", count: 30000))
        wire.produce()
        var reaped = 0
        for _ in 0..<70 {
            wire.now = wire.now + .seconds(5)
            wire.receive(F.window(1, 1))
            reaped += wire.session.reapStalled(now: wire.now, after: .seconds(300))
            wire.produce()
        }
        #expect(reaped == 1)
        #expect(wire.closed[1] == .cancel)
        #expect(wire.session.lanes.isEmpty)
    }

    @Test func slowIsNotStalled() throws {
        let wire = Wire()
        wire.receive(F.settings([(4, 0)]) + F.headers(1, F.get()))
        let lane = try #require(wire.lanes[1])
        wire.answer(lane, String(repeating: "x", count: 64000))
        wire.produce()
        for _ in 0..<12 {
            wire.now = wire.now + .seconds(250)
            wire.receive(F.window(1, 5000))
            #expect(wire.session.reapStalled(now: wire.now, after: .seconds(300)) == 0)
        }
        wire.receive(F.window(1, 5000))
        #expect(wire.closed[1] == .noError)
    }

    @Test("a stream that waits for its own content is not stalled") func waitingIsNotStalled() throws {
        let wire = Wire()
        wire.receive(F.headers(1, F.get()))
        let lane = try #require(wire.lanes[1])
        var text = ByteBuffer()
        text.append("HTTP/1.1 200 OK\r\n\r\n")
        wire.session.respond(on: lane, &text, length: text.count, ends: false)
        lane.output.append("event")
        wire.session.resume(lane)
        wire.produce()
        wire.now = wire.now + .seconds(3600)
        #expect(wire.session.reapStalled(now: wire.now, after: .seconds(300)) == 0)
    }
}
