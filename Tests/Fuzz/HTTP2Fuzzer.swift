import Core
import HTTP

/// Any octets behind the opening of an HTTP/2 connection, of either side: as they are, or taken as orders for frames that
/// are nearly right. No trap; nothing is kept of a stream that is over; what is answered and what is not is accounted for.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzHTTP2(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 1 else { return 0 }
    let octets = Array(UnsafeBufferPointer(start: data + 1, count: count - 1))
    let mode = data[0]
    let peer = FuzzedPeer(mode & 1 == 0 ? .server : .client)
    var orders = Orders(octets)
    let wire = mode & 2 == 0 ? octets : orders.frames()
    let piece = mode & 4 == 0 ? 4096 : 1 + Int(mode >> 3)
    var at = 0
    while at < wire.count {
        peer.receive(Array(wire[at..<min(at + piece, wire.count)]))
        at += piece
    }
    peer.finish()
    return 0
}

nonisolated(unsafe) private let library = HTTP2Library()

private final class FuzzedPeer {
    let session: HTTP2Session
    var now = Instant(nanoseconds: 1)
    var known: [ObjectIdentifier: HTTP2Lane] = [:]
    var request = RequestHead()
    var response = ResponseHead()

    init(_ side: HTTP2Session.Side) {
        session = HTTP2Session(side: side, limits: HTTP2Limits(), library: library, now: now)
        if side == .server { receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)) }
        receive([0, 0, 0, 4, 0, 0, 0, 0, 0])
        guard side == .client else { return }
        for i in 0..<3 {
            var text = ByteBuffer()
            text.append(string: i == 1 ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" : "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            if let lane = session.request(&text, length: text.count, scheme: .http, ends: i < 2) {
                known[ObjectIdentifier(lane)] = lane
            }
        }
        produce()
    }

    func receive(_ octets: [UInt8]) {
        now = now + .milliseconds(1)
        octets.withView {
            session.receive($0, now: now)
            takeEvents()
        }
        produce()
    }

    private func produce() {
        var buffer = ByteBuffer()
        session.produce(into: &buffer, upTo: 1 << 20, now: now)
        takeEvents()
    }

    private func takeEvents() {
        while let event = session.nextEvent() {
            switch event {
            case .head(let held): head(held.takeUnretainedValue())
            case .content(let held, let view):
                let lane = held.takeUnretainedValue()
                check(known[ObjectIdentifier(lane)] != nil, "content of an unknown stream")
                check(!lane.peerEnded, "content behind the end")
                session.consumed(view.count, on: lane)
            case .end(let held):
                check(known[ObjectIdentifier(held.takeUnretainedValue())] != nil, "the end of an unknown stream")
            case .closed(let held, _):
                let lane = held.takeRetainedValue()
                check(known.removeValue(forKey: ObjectIdentifier(lane)) != nil, "an unknown stream is closed")
                session.giveBack(lane)
            case .room, .goAway, .settings, .pingAnswered: break
            }
        }
    }

    private func head(_ lane: HTTP2Lane) {
        known[ObjectIdentifier(lane)] = lane
        if session.side == .client {
            if case .complete = lane.readResponse(lane.heads.view, into: &response, limits: .response) {
                lane.heads.consume(response.length)
            }
            return
        }
        let refusal = lane.readRequest(into: &request, limits: .request)
        if refusal == nil {
            let text = lane.heads.view
            check(request.length == text.count, "a head that is not the whole text")
            check(!request.host.of(text).isEmpty, "no host")
        }
        var text = ByteBuffer()
        text.append("HTTP/1.1 200 OK\r\n\r\n")
        session.respond(on: lane, &text, length: text.count, ends: false)
        lane.output.append("hello")
        if lane.id % 4 == 1 { lane.trailersToSend.append("a: b\r\n") }
        session.endOutput(lane)
        if !lane.endWasReceived, lane.id % 8 == 1 { session.endEarly(lane) }
    }

    func finish() {
        produce()
        check(session.lanes.count <= 103, "more streams than the limit")
        for lane in session.lanes { check(lane.closedWith == nil, "a closed stream is kept") }
        if !session.isOver { check(known.count <= session.lanes.count, "a stream went without a word") }
    }
}

/// Octets taken as orders for frames.
private struct Orders {
    private let octets: [UInt8]
    private var at = 0

    init(_ octets: [UInt8]) { self.octets = octets }

    private mutating func next() -> UInt8 {
        guard at < octets.count else { return 0 }
        defer { at += 1 }
        return octets[at]
    }

    private mutating func take(_ count: Int) -> [UInt8] {
        let end = min(octets.count, at + count)
        defer { at = end }
        return Array(octets[at..<end])
    }

    mutating func frames() -> [UInt8] {
        var out: [UInt8] = []
        while at < octets.count {
            let order = next()
            let stream = next() & 31
            let flags = next()
            switch order & 15 {
            case 0...4:
                out += frame(
                    1, flags & 0x25 | 4, stream | 1, [0x82, 0x86, 0x84, 0x41, 1, 0x61] + take(Int(order >> 4)))
            case 5: out += frame(1, flags, stream, take(Int(order >> 4)))
            case 6: out += frame(9, flags, stream, take(Int(order >> 4)))
            case 7, 8: out += frame(0, flags & 9, stream | 1, take(Int(order >> 4)))
            case 9: out += frame(3, 0, stream | 1, [0, 0, 0, flags])
            case 10: out += frame(8, 0, stream, [0, 0, flags, order])
            case 11: out += frame(4, 0, 0, [0, flags & 15, 0, 0, order, stream])
            case 12: out += frame(6, flags & 1, 0, [1, 2, 3, 4, 5, 6, 7, 8])
            case 13: out += frame(1, flags & 1 | 4, stream | 1, [0x88] + take(Int(order >> 4)))
            case 14: out += frame(7, 0, 0, [0, 0, 0, stream, 0, 0, 0, flags])
            default: out += frame(flags, order, stream, take(Int(order >> 4)))
            }
        }
        return out
    }

    private func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [0, 0, UInt8(payload.count), kind, flags, 0, 0, 0, stream] + payload
    }
}
