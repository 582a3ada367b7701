import Core
import Glibc
import HTTP
import IO

/// One lane of an HTTP/2 connection as a stream uses it. Owned by one stream, which lends itself to every call.
struct HTTP2StreamWire {
    private(set) unowned(unsafe) var connection: HTTP2Connection
    /// Nil before a request's head is sent, and when the stream is given up.
    private(set) var lane: HTTP2Lane?
    /// Its owner will be told of news when what was received is taken.
    var isNoted = false

    init(_ connection: HTTP2Connection) { self.connection = connection }

    mutating func attach(_ lane: HTTP2Lane, _ stream: MessageStream) {
        self.lane = lane
        lane.owner = stream
    }

    /// The stream has nothing to do with the lane any more; when the lane is over, it goes back.
    mutating func detach(_ stream: MessageStream) {
        guard let lane else { return }
        self.lane = nil
        lane.owner = nil
        if lane.output.isEmpty { stream.resources.buffers.reclaim(&lane.output) }
        if lane.closeWasTaken { connection.session.giveBack(lane) }
    }

    // MARK: reading

    /// Content that came: behind what is there already. Its stream's window bounds it.
    mutating func received(_ content: ByteView, _ stream: MessageStream) {
        stream.octetsReceived &+= UInt64(content.count)
        stream.resources.buffers.supply(&stream.input)
        if stream.input.room < content.count, stream.input.start > stream.pinned {
            stream.input.compact(keeping: stream.pinned)
        }
        stream.input.append(content)
        news(stream)
    }

    mutating func news(_ stream: MessageStream) {
        stream.mayRead = true
        guard !isNoted else { return }
        isNoted = true
        connection.noteNews(stream)
    }

    /// The stream is over, and not in order.
    mutating func broke(_ stream: MessageStream) {
        stream.failure = Errno(ECONNRESET)
        news(stream)
    }

    func fill(_ stream: MessageStream) -> MessageStream.Fill {
        stream.mayRead = false
        if let lane, lane.peerEnded { return .endOfFile }
        return stream.failure != nil || lane == nil ? .failed : .nothing
    }

    func contentTaken(_ count: Int) {
        guard let lane, count > 0 else { return }
        connection.session.consumed(count, on: lane)
        connection.sendLater()
    }

    // MARK: writing

    func write(body data: ByteView, _ stream: MessageStream) -> Int {
        guard stream.failure == nil, let lane, lane.closedWith == nil else {
            if stream.failure == nil { stream.failure = Errno(ECONNRESET) }
            return 0
        }
        var count = min(data.count, max(0, ConnectionResources.blockSize - lane.output.count))
        switch stream.outgoing {
        case .none: preconditionFailure("a body where none was announced")
        case .length(let remaining):
            count = Int(min(UInt64(count), remaining))
            stream.outgoing = .length(remaining: remaining - UInt64(count))
        case .chunked, .untilClose: break
        }
        if count > 0 {
            stream.resources.buffers.supply(&lane.output)
            if lane.output.room < count { lane.output.compact() }
            lane.output.append(data.upTo(count))
            stream.octetsSent &+= UInt64(count)
            connection.session.resume(lane)
            connection.sendLater()
        }
        lane.wantsRoom = true
        if count < data.count { stream.mayWrite = false }
        return count
    }

    /// Some of what was written has left. True: the owner is to be told that there is room again.
    func roomMade(_ stream: MessageStream) -> Bool {
        guard let lane else { return false }
        if lane.output.isEmpty {
            stream.resources.buffers.reclaim(&lane.output)
        } else {
            lane.wantsRoom = true
        }
        guard !stream.mayWrite, lane.output.count <= ConnectionResources.blockSize / 2 else { return false }
        stream.mayWrite = true
        return true
    }

    func endBody(after source: MessageStream?, _ stream: MessageStream) {
        stream.outgoing = .none
        guard let lane, lane.closedWith == nil else {
            source?.dropTrailers()
            return
        }
        source?.takeTrailers(to: &lane.trailersToSend)
        connection.session.endOutput(lane)
        connection.sendLater()
    }

    func finishSending() {
        guard let lane else { return }
        connection.session.endOutput(lane)
        connection.sendLater()
    }

    /// Nothing waits in the stream: what was written is the connection's to send.
    func flush(_ stream: MessageStream) -> Bool { stream.failure == nil }

    // MARK: ending

    func reset(_ code: HTTP2ErrorCode) {
        guard let lane else { return }
        connection.session.reset(lane, code)
        connection.sendLater()
    }
}
