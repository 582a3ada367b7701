import Core
import HTTP

/// What comes next of a body.
public enum BodyRun {
    /// Content at the input's start; tell ``BodyReader/consume(_:from:)`` how much of it was used.
    case data(ByteView)
    case needMore
    /// All content was taken.
    case complete
    /// The framing is broken; nothing behind it can be trusted.
    case refused(ChunkedRefusal)
}

/// The body that a connection receives, taken out of its framing in place. Copies nothing.
public struct BodyReader: ~Copyable {
    private enum Mode: UInt8 { case complete, length, chunked, untilClose }

    private var mode = Mode.complete
    /// Content not yet used: of the whole body (`length`), or of the decoded run at the input's start (`chunked`).
    private var remaining: UInt64 = 0
    private var decoder = ChunkedDecoder()
    /// Octets of the trailer section, which stays in the input until the end is taken.
    private var trailerSection = 0

    public init() {}

    public mutating func begin(_ framing: BodyFraming) {
        trailerSection = 0
        switch framing {
        case .none:
            mode = .complete
        case .length(let octets):
            mode = octets == 0 ? .complete : .length
            remaining = octets
        case .chunked:
            mode = .chunked
            remaining = 0
            decoder.reset()
        case .untilClose:
            mode = .untilClose
        }
    }

    public var isComplete: Bool { mode == .complete }
    public var isUntilClose: Bool { mode == .untilClose }

    /// Octets still to come, for a body of known length; nil: not known.
    public var remainingLength: UInt64? { mode == .length ? remaining : nil }

    public mutating func next(_ input: inout ByteBuffer) -> BodyRun {
        switch mode {
        case .complete: return .complete
        case .untilClose: return input.isEmpty ? .needMore : .data(input.view)
        case .length:
            if input.isEmpty { return .needMore }
            return .data(input.view.upTo(Int(min(UInt64(input.count), remaining))))
        case .chunked:
            if remaining > 0 { return .data(input.view.upTo(Int(remaining))) }
            switch decoder.next(input.view) {
            case .data(let range):
                input.consume(range.lowerBound)
                remaining = UInt64(range.count)
                return .data(input.view.upTo(range.count))
            case .needMore(let consumed):
                input.consume(consumed)
                return .needMore
            case .end(let section):
                input.consume(section.lowerBound)
                trailerSection = section.count
                mode = .complete
                return .complete
            case .refused(let refusal): return .refused(refusal)
            }
        }
    }

    /// `count` octets of the run were used.
    public mutating func consume(_ count: Int, from input: inout ByteBuffer) {
        input.consume(count)
        passed(count)
    }

    /// `count` octets of the body went another way than through the input.
    mutating func passed(_ count: Int) {
        switch mode {
        case .length:
            remaining -= UInt64(count)
            if remaining == 0 { mode = .complete }
        case .chunked: remaining -= UInt64(count)
        case .untilClose, .complete: break
        }
    }

    /// The peer closed, which ends a body without length (RFC 9112, section 6.3).
    public mutating func endByClose() {
        precondition(mode == .untilClose)
        mode = .complete
    }

    /// Appends the trailer fields that may be forwarded, as lines with CRLF, and drops the section from the input. Nothing
    /// is appended the second time.
    public mutating func takeTrailers(from input: inout ByteBuffer, to output: inout ByteBuffer) {
        // Taken already when the body goes out a second time: a replay ends without them.
        guard trailerSection > 0 else { return }
        let section = input.view.upTo(trailerSection)
        for index in 0..<decoder.trailers.count {
            let line = decoder.trailers[index]
            output.append(line.name(in: section))
            output.append(": ")
            output.append(line.value(in: section))
            output.append("\r\n")
        }
        dropTrailers(from: &input)
    }

    /// Drops the trailer section from the input.
    public mutating func dropTrailers(from input: inout ByteBuffer) {
        input.consume(trailerSection)
        trailerSection = 0
    }
}
