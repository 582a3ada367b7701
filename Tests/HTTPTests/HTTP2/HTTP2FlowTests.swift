import Core
import Testing

@testable import HTTP

@Suite("RFC 9113, section 5.2 and 6.9: flow control; sections 5.4.1 and 6.8: endings")
struct HTTP2FlowTests {
    typealias F = Frame
    static let frame = String(repeating: "d", count: 16000)

    @Test("a stream nobody reads gets no window, its neighbours do") func stalledReader() {
        let wire = Wire()
        wire.readsContent = false
        wire.receive(F.headers(1, F.post(), end: false))
        wire.receive(F.headers(3, F.post(), end: false))
        for _ in 0..<4 { wire.receive(F.data(1, Self.frame)) }
        #expect(wire.frames(8).filter { $0.stream == 1 }.isEmpty)
        // 1,536 octets are left; one more frame is past the window.
        wire.readsContent = true
        for _ in 0..<100 { wire.receive(F.data(3, Self.frame)) }
        #expect(wire.contents[3]?.count == 1_600_000)
        #expect(!wire.frames(8).filter { $0.stream == 0 }.isEmpty)
        wire.readsContent = false
        wire.receive(F.data(1, Self.frame))
        #expect(wire.outcome == .stream(.flowControlError))
    }

    @Test func windowComesBackAsContentIsUsed() throws {
        let wire = Wire()
        wire.readsContent = false
        wire.receive(F.headers(1, F.post(), end: false))
        for _ in 0..<4 { wire.receive(F.data(1, Self.frame)) }
        let lane = try #require(wire.lanes[1])
        wire.session.consumed(64000, on: lane)
        wire.produce()
        let update = try #require(wire.frames(8).first { $0.stream == 1 })
        #expect(SentFrame.number(update.payload, 0) == 64000)
    }

    @Test("the connection's window is 1 MiB, whatever its streams do with their octets") func connectionWindow() {
        let wire = Wire(opening: false)
        wire.receive(F.preface + F.settings())
        let update = wire.frames(8).first
        #expect(update.map { SentFrame.number($0.payload, 0) } == UInt32(1024 * 1024 - 65535))
        let settings = wire.frames(4).first.map(\.payload) ?? []
        #expect(settings.count == 5 * 6)
        #expect(Array(settings.prefix(12)) == [0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0])
    }

    private func opened(_ wire: Wire, _ count: UInt32, window: UInt32 = 1 << 20) {
        wire.receive(F.settings([(4, window)]) + F.window(0, 1 << 30))
        for i in 0..<count { wire.receive(F.headers(i * 2 + 1, F.get())) }
        wire.forgetSent()
    }

    private func head(_ wire: Wire, _ lane: HTTP2Lane) {
        var text = ByteBuffer()
        text.append("HTTP/1.1 200 OK\r\n\r\n")
        wire.session.respond(on: lane, &text, length: text.count, ends: false)
    }

    @Test("what a peer gives no window for stays, and hinders nobody") func stalledPeer() throws {
        let wire = Wire()
        opened(wire, 2, window: 100)
        let stalled = try #require(wire.lanes[1])
        let free = try #require(wire.lanes[3])
        wire.receive(F.window(3, 1 << 20))
        for lane in [stalled, free] {
            head(wire, lane)
            lane.output.append(string: String(repeating: "x", count: 30000))
            wire.session.resume(lane)
        }
        wire.produce()
        #expect(wire.frames(0).filter { $0.stream == 1 }.map(\.payload.count) == [100])
        #expect(wire.frames(0).filter { $0.stream == 3 }.map(\.payload.count).reduce(0, +) == 30000)
        #expect(stalled.output.count == 29900)
        wire.receive(F.window(1, 29900))
        #expect(stalled.output.count == 0)
    }

    @Test("streams with much to send take turns of two frames") func turns() throws {
        let wire = Wire()
        opened(wire, 3)
        for lane in wire.session.lanes {
            head(wire, lane)
            lane.output.append(string: String(repeating: "x", count: 200_000))
            wire.session.endOutput(lane)
        }
        wire.produce()
        let order = wire.frames(0).map(\.stream)
        #expect(Set(order.prefix(6)).count == 3)
        #expect(wire.closed.count == 3)
        #expect(wire.frames(0).map(\.payload.count).reduce(0, +) == 600_000)
    }

    @Test func producesNoMoreThanAsked() throws {
        let wire = Wire()
        opened(wire, 1)
        let lane = try #require(wire.lanes[1])
        head(wire, lane)
        lane.output.append(string: String(repeating: "x", count: 100_000))
        wire.session.endOutput(lane)
        wire.produce(upTo: 16 * 1024)
        #expect(wire.sentOctets < 3 * 16384)
        #expect(wire.session.wantsWrite)
        wire.produce()
        #expect(wire.closed[1] == .noError)
    }

    @Test("END_STREAM goes with the last octets, or with the trailers") func endings() throws {
        let wire = Wire()
        opened(wire, 4)
        let lanes = [1, 3, 5, 7].compactMap { wire.lanes[$0] }
        head(wire, lanes[0])
        lanes[0].output.append("all")
        wire.session.endOutput(lanes[0])
        // The end comes when the content is gone already.
        head(wire, lanes[1])
        lanes[1].output.append("first")
        wire.session.resume(lanes[1])
        // Trailers behind nothing.
        head(wire, lanes[2])
        lanes[2].trailersToSend.append("a: b\r\n")
        wire.session.endOutput(lanes[2])
        var text = ByteBuffer()
        text.append("HTTP/1.1 204 No Content\r\n\r\n")
        wire.session.respond(on: lanes[3], &text, length: text.count, ends: true)
        wire.produce()
        #expect(wire.frames(0).filter { $0.stream == 1 }.map(\.flags) == [1])
        #expect(wire.frames(0).filter { $0.stream == 3 }.map(\.flags) == [0])
        wire.session.endOutput(lanes[1])
        wire.produce()
        #expect(wire.frames(0).filter { $0.stream == 3 }.map(\.flags) == [0, 1])
        #expect(wire.frames(0).filter { $0.stream == 5 }.isEmpty)
        #expect(wire.frames(1).filter { $0.stream == 5 }.map { $0.flags & 1 } == [0, 1])
        #expect(wire.frames(1).filter { $0.stream == 7 }.map { $0.flags & 1 } == [1])
        #expect(wire.closed.count == 4)
    }

    @Test("RFC 9113, section 8.1: the rest of a request that was answered early is refused behind the answer")
    func early() throws {
        let wire = Wire()
        wire.receive(F.headers(1, F.post(), end: false))
        let lane = try #require(wire.lanes[1])
        wire.forgetSent()
        wire.answer(lane, "no")
        wire.session.endEarly(lane)
        wire.produce()
        #expect(wire.sent.map(\.kind) == [1, 0, 3])
        #expect(wire.sent.last.map { SentFrame.number($0.payload, 0) } == 0)
        #expect(wire.closed[1] == .noError)
        // What was on its way meanwhile is dropped, and the connection goes on.
        wire.receive(F.data(1, "late", end: true) + F.headers(3, F.get()))
        #expect(wire.heads.count == 2)
    }

    // MARK: GOAWAY

    @Test("RFC 9113, section 6.8: two GOAWAYs around a round trip") func drain() {
        let wire = Wire()
        wire.receive(F.headers(1, F.get()))
        wire.forgetSent()
        wire.session.beginDrain(now: wire.now)
        wire.produce()
        #expect(wire.frames(7).map { SentFrame.number($0.payload, 0) } == [0x7FFF_FFFF])
        let ping = wire.frames(6).first?.payload ?? []
        // A request that was on its way is still served.
        wire.receive(F.headers(3, F.get()))
        wire.receive(F.raw(6, flags: 1, ping))
        #expect(wire.frames(7).map { SentFrame.number($0.payload, 0) } == [0x7FFF_FFFF, 3])
        wire.receive(F.headers(5, F.get()))
        #expect(wire.heads.count == 2)
        #expect(!wire.session.isOver)
        for lane in wire.session.lanes { wire.answer(lane) }
        wire.produce()
        #expect(wire.session.isOver)
        #expect(wire.pings.isEmpty)
        #expect(wire.session.error == nil)
    }

    @Test func drainOfAPeerThatDoesNotAnswer() {
        let wire = Wire()
        wire.session.beginDrain(now: wire.now)
        wire.produce()
        #expect(wire.session.deadline == wire.now + .seconds(1))
        wire.session.tick(now: wire.now + .milliseconds(999))
        wire.produce()
        #expect(wire.frames(7).count == 1)
        wire.session.tick(now: wire.now + .seconds(1))
        wire.produce()
        #expect(wire.frames(7).count == 2)
        #expect(wire.session.isOver)
    }

    @Test("streams above the last one were not processed") func goAwayFromServer() throws {
        let wire = Wire(.client)
        for _ in 0..<3 {
            var text = ByteBuffer()
            text.append("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(wire.session.request(&text, length: text.count, scheme: .http, ends: true) != nil)
        }
        wire.produce()
        wire.receive(F.goAway(3, 0))
        #expect(wire.goneAway?.0 == 3)
        #expect(wire.closed == [5: .refusedStream])
        #expect(!wire.session.canOpen)
        wire.receive(F.headers(1, F.fields([(":status", "200")])) + F.headers(3, F.fields([(":status", "200")])))
        #expect(wire.closed.count == 3)
        #expect(wire.session.isOver)
    }

    @Test func pingIsAnswered() {
        let wire = Wire()
        wire.session.ping(7)
        wire.produce()
        let ping = wire.frames(6).first?.payload ?? []
        wire.receive(F.raw(6, flags: 1, ping))
        #expect(wire.pings == [7])
        wire.receive(F.ping([9, 9, 9, 9, 9, 9, 9, 9]))
        #expect(wire.frames(6).last?.flags == 1)
    }

    @Test func peerSettings() {
        let wire = Wire(.client, opening: false)
        #expect(wire.session.peerMaxConcurrentStreams == 100)
        wire.receive(F.settings([(3, 7), (8, 1)]))
        #expect(wire.session.peerMaxConcurrentStreams == 7)
        #expect(wire.session.peerTakesExtendedConnect)
    }
}
