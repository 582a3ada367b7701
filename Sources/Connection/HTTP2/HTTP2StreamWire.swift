import Core
import Glibc
import HTTP
import IO

/// One lane of an HTTP/2 connection as a stream uses it. Owned by one stream, which lends itself to every call.
struct HTTP2StreamWire {
    /// Held by the stream.
    private let connection: Unmanaged<HTTP2Connection>
    /// Nil before a request's head is sent, and when the stream is given up.
    private(set) var lane: HTTP2Lane?
    /// The same, for uses within which the stream keeps it: those need not count it.
    private(set) var place: Unmanaged<HTTP2Lane>?
    /// Its owner will be told of news when what was received is taken.
    var isNoted = false

    init(_ connection: HTTP2Connection) { self.connection = .passUnretained(connection) }

    mutating func attach(_ lane: HTTP2Lane, _ stream: MessageStream) {
        self.lane = lane
        place = .passUnretained(lane)
        lane.owner = stream
    }

    /// The stream has nothing to do with the lane any more; when the lane is over, it goes back.
    mutating func detach(_ stream: MessageStream) {
        guard let lane else { return }
        self.lane = nil
        place = nil
        lane.owner = nil
        if lane.output.isEmpty { stream.resources.buffers.reclaimBlock(&lane.output) }
        // The memory of the heads goes back to where it came from.
        if !lane.heads.hasMemory, stream.input.capacity <= HTTP2Lane.kept {
            swap(&lane.heads, &stream.input)
            lane.heads.clear()
        }
        if lane.closeWasTaken { connection._withUnsafeGuaranteedRef { $0.session.giveBack(lane) } }
    }

    private func sendLater() { connection._withUnsafeGuaranteedRef { $0.sendLater() } }

    // MARK: reading

    /// Heads that came: at the input's start they are moved by their memory.
    mutating func received(headsOf lane: HTTP2Lane, _ stream: MessageStream) {
        if stream.input.hasMemory {
            makeRoom(lane.heads.count, stream)
            stream.input.append(lane.heads.view)
            lane.heads.clear()
        } else {
            swap(&stream.input, &lane.heads)
        }
    }

    /// Content that came: behind what is there already. Its stream's window bounds it.
    mutating func received(_ content: ByteView, _ stream: MessageStream) {
        stream.octetsReceived &+= UInt64(content.count)
        makeRoom(content.count, stream)
        stream.input.append(content)
        news(stream)
    }

    /// A head's memory is exchanged for a block when what follows does not fit.
    private func makeRoom(_ count: Int, _ stream: MessageStream) {
        stream.resources.buffers.supply(&stream.input)
        guard stream.input.room < count else { return }
        if stream.input.start > stream.pinned { stream.input.compact(keeping: stream.pinned) }
        guard stream.input.room < count, stream.input.capacity < ConnectionResources.blockSize else { return }
        let former = stream.resources.buffers.enlarge(&stream.input)
        if let lane, !lane.heads.hasMemory { lane.heads = former }
    }

    mutating func news(_ stream: MessageStream) {
        stream.mayRead = true
        guard !isNoted else { return }
        isNoted = true
        connection._withUnsafeGuaranteedRef { $0.noteNews(stream) }
    }

    /// The stream is over, and not in order.
    mutating func broke(_ stream: MessageStream) {
        stream.failure = Errno(ECONNRESET)
        news(stream)
    }

    func fill(_ stream: MessageStream) -> MessageStream.Fill {
        stream.mayRead = false
        if let place, place._withUnsafeGuaranteedRef({ $0.peerEnded }) { return .endOfFile }
        return stream.failure != nil || place == nil ? .failed : .nothing
    }

    func contentTaken(_ count: Int) {
        guard let place, count > 0 else { return }
        connection._withUnsafeGuaranteedRef { connection in
            place._withUnsafeGuaranteedRef { connection.session.consumed(count, on: $0) }
            connection.sendLater()
        }
    }

    // MARK: writing

    func write(body data: ByteView, _ stream: MessageStream) -> Int {
        guard stream.failure == nil, let place, place._withUnsafeGuaranteedRef({ $0.closedWith == nil }) else {
            if stream.failure == nil { stream.failure = Errno(ECONNRESET) }
            return 0
        }
        return place._withUnsafeGuaranteedRef { write(data, on: $0, stream) }
    }

    @inline(__always) private func write(_ data: ByteView, on lane: HTTP2Lane, _ stream: MessageStream) -> Int {
        var count = min(data.count, max(0, ConnectionResources.blockSize - lane.output.count))
        switch stream.outgoing {
        case .none: preconditionFailure("a body where none was announced")
        case .length(let remaining):
            count = Int(min(UInt64(count), remaining))
            stream.outgoing = .length(remaining: remaining - UInt64(count))
        case .chunked, .untilClose: break
        }
        if count > 0 {
            if lane.output.room < count { lane.output.compact() }
            // Small bodies stay in small memory, which the lane keeps.
            if lane.output.room < count, lane.output.count + count > HTTP2Lane.kept / 2 {
                _ = stream.resources.buffers.enlarge(&lane.output)
            }
            lane.output.append(data.upTo(count))
            stream.octetsSent &+= UInt64(count)
            connection._withUnsafeGuaranteedRef {
                $0.session.resume(lane)
                $0.sendLater()
            }
        }
        lane.wantsRoom = true
        if count < data.count { stream.mayWrite = false }
        return count
    }

    /// Some of what was written has left. True: the owner is to be told that there is room again.
    func roomMade(_ stream: MessageStream) -> Bool {
        guard let place else { return false }
        return place._withUnsafeGuaranteedRef { lane in
            if lane.output.isEmpty {
                stream.resources.buffers.reclaimBlock(&lane.output)
            } else {
                lane.wantsRoom = true
            }
            guard !stream.mayWrite, lane.output.count <= ConnectionResources.blockSize / 2 else { return false }
            stream.mayWrite = true
            return true
        }
    }

    func endBody(after source: MessageStream?, _ stream: MessageStream) {
        stream.outgoing = .none
        guard let place, place._withUnsafeGuaranteedRef({ $0.closedWith == nil }) else {
            source?.dropTrailers()
            return
        }
        place._withUnsafeGuaranteedRef { lane in
            source?.takeTrailers(to: &lane.trailersToSend)
            connection._withUnsafeGuaranteedRef {
                $0.session.endOutput(lane)
                $0.sendLater()
            }
        }
    }

    func finishSending() {
        guard let lane else { return }
        connection._withUnsafeGuaranteedRef { $0.session.endOutput(lane) }
        sendLater()
    }

    /// Nothing waits in the stream: what was written is the connection's to send.
    func flush(_ stream: MessageStream) -> Bool { stream.failure == nil }

    // MARK: ending

    func reset(_ code: HTTP2ErrorCode) {
        guard let lane else { return }
        connection._withUnsafeGuaranteedRef { $0.session.reset(lane, code) }
        sendLater()
    }
}
