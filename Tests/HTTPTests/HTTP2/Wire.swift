import Core
import Testing

@testable import HTTP

/// One session and a peer made of raw frames.
final class Wire {
    let session: HTTP2Session
    var now = Instant(nanoseconds: 1_000_000_000_000)
    /// What the session sent, all of it.
    private(set) var sent: [SentFrame] = []
    private(set) var sentOctets = 0
    var heads: [String] = []
    var refusals: [HeadRefusal] = []
    var contents: [UInt32: [UInt8]] = [:]
    var ended: [UInt32] = []
    var closed: [UInt32: HTTP2ErrorCode] = [:]
    var lanes: [UInt32: HTTP2Lane] = [:]
    var trailers: [UInt32: String] = [:]
    var goneAway: (UInt32, HTTP2ErrorCode)?
    var pings: [UInt64] = []
    /// Whether content counts as used at once.
    var readsContent = true
    var answers = false
    /// Leaves responses' heads to the test.
    var keepsHeads = false
    private var unread: [UInt8] = []

    enum Outcome: Equatable, CustomTestStringConvertible {
        case accepted
        case refused(HeadRefusal)
        case stream(HTTP2ErrorCode)
        case connection(HTTP2ErrorCode)

        var testDescription: String {
            switch self {
            case .accepted: "accepted"
            case .refused(let refusal): "refused: \(refusal.reason)"
            case .stream(let code): "stream error \(code.name)"
            case .connection(let code): "connection error \(code.name)"
            }
        }
    }

    /// - Parameter opening: preface and settings are exchanged already.
    init(_ side: HTTP2Session.Side = .server, limits: HTTP2Limits = HTTP2Limits(), opening: Bool = true) {
        session = HTTP2Session(side: side, limits: limits, library: HTTP2Library(), now: now)
        guard opening else { return }
        if side == .server { receive(Frame.preface) }
        receive(Frame.settings())
        receive(Frame.settingsAcknowledged)
        sent = []
    }

    func receive(_ octets: [UInt8]) {
        octets.withView {
            session.receive($0, now: now)
            takeEvents()
        }
        produce()
    }

    func produce(upTo bound: Int = 1 << 30) {
        var buffer = ByteBuffer()
        session.produce(into: &buffer, upTo: bound, now: now)
        sentOctets += buffer.count
        var octets = buffer.view.array
        unread += octets
        if octets.starts(with: Frame.preface) { octets.removeFirst(Frame.preface.count) }
        sent += SentFrame.all(octets)
        takeEvents()
    }

    /// What the session sent, as octets for another session.
    func takeSentOctets() -> [UInt8] {
        defer { unread = [] }
        return unread
    }

    /// As after `receive`, but nothing is produced.
    func takeOnly() { takeEvents() }

    private func takeEvents() {
        while let event = session.nextEvent() {
            switch event {
            case .head(let lane): head(lane.takeUnretainedValue())
            case .content(let lane, let view):
                let lane = lane.takeUnretainedValue()
                contents[UInt32(lane.id), default: []] += view.array
                if readsContent { session.consumed(view.count, on: lane) }
            case .end(let lane):
                let lane = lane.takeUnretainedValue()
                ended.append(UInt32(lane.id))
                trailers[UInt32(lane.id)] = lane.trailers.view.string
            case .closed(let lane, let code):
                let lane = lane.takeRetainedValue()
                closed[UInt32(lane.id)] = code
                lanes[UInt32(lane.id)] = nil
                if !keepsHeads { session.giveBack(lane) }
            case .goAway(let last, let code): goneAway = (last, code)
            case .pingAnswered(let data): pings.append(data)
            case .room, .settings: break
            }
        }
    }

    private func head(_ lane: HTTP2Lane) {
        lanes[UInt32(lane.id)] = lane
        if keepsHeads { return }
        guard session.side == .server else {
            var head = ResponseHead()
            while true {
                switch lane.readResponse(lane.heads.view, into: &head, limits: session.limits.responseHead) {
                case .complete:
                    heads.append(lane.heads.view.upTo(head.length).string)
                    lane.heads.consume(head.length)
                    continue
                case .refused(let refusal): refusals.append(refusal)
                case .incomplete: break
                }
                return
            }
        }
        var head = RequestHead()
        if let refusal = lane.readRequest(into: &head, limits: session.limits.requestHead) {
            refusals.append(refusal)
        } else {
            heads.append(lane.heads.view.string)
        }
        if answers { answer(lane) }
    }

    func answer(_ lane: HTTP2Lane, _ body: String = "ok") {
        var text = ByteBuffer()
        text.append(string: "HTTP/1.1 200 OK\r\nserver: x\r\n\r\n")
        session.respond(on: lane, &text, length: text.count, ends: body.isEmpty)
        if !body.isEmpty {
            lane.output.append(string: body)
            session.endOutput(lane)
        }
    }

    var outcome: Outcome {
        if let goAway = sent.first(where: { $0.kind == 7 && SentFrame.number($0.payload, 4) != 0 }) {
            return .connection(HTTP2ErrorCode(rawValue: SentFrame.number(goAway.payload, 4)))
        }
        if let reset = sent.first(where: { $0.kind == 3 }) {
            return .stream(HTTP2ErrorCode(rawValue: SentFrame.number(reset.payload, 0)))
        }
        return refusals.first.map { .refused($0) } ?? .accepted
    }

    func frames(_ kind: UInt8) -> [SentFrame] { sent.filter { $0.kind == kind } }
    func forgetSent() { sent = [] }
}
