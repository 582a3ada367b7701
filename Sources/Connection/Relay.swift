import Core
import HTTP
import IO

/// Somebody who must see a body that passes: a mirror, or the memory of what a retry would have to send again.
open class BodyTap {
    public init() {}
    open func passed(_ content: ByteView) {}
}

/// Moves a body from one connection to another, as far as both allow now.
///
/// What the sink does not take stays in the source's input, whose one block is the bound: the source is read again only
/// when the sink has taken something. Large clear-text bodies pass through a kernel pipe instead (splice).
public enum Relay {
    public enum Progress {
        /// Everything, with the end of the body, is sent.
        case complete
        /// Nothing more to do before one of the two is ready again.
        case waiting
        /// Cut short so that others have their turn; to be called again.
        case unfinished
        /// The source broke off before the body's end.
        case sourceFailed
        /// The source's framing is broken.
        case sourceRefused(ChunkedRefusal)
        /// The content is not what its transformation takes.
        case contentRefused
        case sinkFailed
    }

    /// Octets moved in one call before others have their turn.
    public static let octetsPerTurn = 512 * 1024
    /// From this many octets still to come, a body goes through the kernel. Pipes are pooled, so that costs no more calls
    /// than copying does: of a body of 64 KiB half is still to come after the first read, and splicing it saved a quarter
    /// of the whole body's processor time.
    public static let spliceFrom: UInt64 = 16 * 1024

    /// - Parameters:
    ///   - moved: the content octets that were moved are added to it.
    ///   - tap: sees every octet of content that the sink took.
    ///   - limit: octets that may move in this call; `unfinished` when they have.
    ///   - beforeEnd: called before the sink is told that the body is complete.
    public static func run(
        from source: MessageStream, to sink: MessageStream, moved: inout UInt64, tap: BodyTap? = nil,
        limit: Int = octetsPerTurn, beforeEnd: () -> Void = {}
    ) -> Progress {
        let progress = move(from: source, to: sink, &moved, tap, limit, beforeEnd)
        // Who is limited does not go on at once: what was to be sent with more goes without it.
        if limit < octetsPerTurn, case .unfinished = progress, sink.mayWrite, sink.flush() { sink.pushHeldBack() }
        // A sink that takes no more has whole segments on their way already.
        if case .waiting = progress, sink.mayWrite { sink.pushHeldBack() }
        return progress
    }

    private static func move(
        from source: MessageStream, to sink: MessageStream, _ moved: inout UInt64, _ tap: BodyTap?, _ limit: Int,
        _ beforeEnd: () -> Void
    ) -> Progress {
        var budget = limit
        while true {
            if source.pipe != nil || tap == nil && maySplice(source, sink) {
                if let stopped = splice(source, sink, &budget, &moved) { return stopped }
                continue
            }
            switch source.incoming.next(&source.input) {
            case .data(let data):
                let run = data.upTo(min(data.count, budget))
                // The last read filled the block, so more is likely there: segments need not end here.
                let taken = sink.write(body: run, more: source.mayRead)
                tap?.passed(run.upTo(taken))
                source.incoming.consume(taken, from: &source.input)
                source.contentTaken(taken)
                moved &+= UInt64(taken)
                budget -= taken
                if sink.failure != nil { return .sinkFailed }
                if taken < run.count, !sink.mayWrite { return .waiting }
                if budget <= 0 { return .unfinished }
            case .complete:
                if sink.outgoing != .none {
                    beforeEnd()
                    sink.endBody(after: source)
                }
                if sink.flush() { return .complete }
                return sink.failure != nil ? .sinkFailed : .waiting
            case .needMore:
                switch source.fill() {
                case .more: continue
                case .nothing: return sink.flush() || sink.failure == nil ? .waiting : .sinkFailed
                case .full: preconditionFailure("a body's framing does not fit the input")
                case .endOfFile:
                    guard source.incoming.isUntilClose, !source.isTruncated else { return .sourceFailed }
                    source.incoming.endByClose()
                case .failed: return .sourceFailed
                }
            case .refused(let refusal): return .sourceRefused(refusal)
            }
        }
    }

    private static func maySplice(_ source: MessageStream, _ sink: MessageStream) -> Bool {
        guard source.spliceable >= 0, sink.spliceable >= 0,
            let remaining = source.incoming.remainingLength, remaining >= spliceFrom, source.input.isEmpty,
            source.mayRead, sink.mayWrite, case .length = sink.outgoing
        else { return false }
        guard sink.output.isEmpty || sink.flush() else { return false }
        guard let pipe = source.resources.pipes.lease() else { return false }
        source.pipe = pipe
        return true
    }

    /// Nil: the pipe is empty and given back, or there is more to do at once.
    private static func splice(
        _ source: MessageStream, _ sink: MessageStream, _ budget: inout Int, _ moved: inout UInt64
    ) -> Progress? {
        guard let pipe = source.pipe else { return nil }
        while true {
            let remaining = source.incoming.remainingLength ?? 0
            if pipe.level == 0, remaining > 0 {
                guard source.mayRead else {
                    // An empty pipe that waits for a slow source would keep two descriptors from everybody else.
                    source.returnPipe()
                    return .waiting
                }
                switch source.spliceIn(pipe, Int(min(remaining, UInt64(min(pipe.capacity, budget))))) {
                case .octets(let count):
                    pipe.level = count
                    source.incoming.passed(count)
                case .wouldBlock:
                    source.mayRead = false
                    source.returnPipe()
                    return .waiting
                case .endOfFile, .failed: return .sourceFailed
                }
            }
            let more = (source.incoming.remainingLength ?? 0) > 0
            while pipe.level > 0 {
                guard sink.mayWrite else { return .waiting }
                switch sink.spliceOut(pipe, more: more) {
                case .octets(let count):
                    pipe.level -= count
                    // Short is not always full (a signal, a debugger): only `wouldBlock` promises an edge.
                    sink.passed(count)
                    moved &+= UInt64(count)
                    budget -= count
                case .wouldBlock, .endOfFile: return .waiting
                case .failed: return .sinkFailed
                }
            }
            if source.incoming.isComplete {
                source.returnPipe()
                return nil
            }
            if budget <= 0 { return .unfinished }
        }
    }

    /// What one direction of a tunnel does next. False: it is broken, and with it the tunnel.
    public static func goesOn(
        _ progress: Progress, from source: MessageStream, to sink: MessageStream
    ) -> Bool {
        switch progress {
        case .complete: sink.finishSending()
        case .waiting: break
        case .unfinished: source.resources.loop.again(source)
        case .sourceFailed, .sinkFailed, .sourceRefused, .contentRefused: return false
        }
        return true
    }
}
