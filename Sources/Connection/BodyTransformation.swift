import Core
import HTTP

/// Content that leaves as other content than it came: what ``Relay`` asks on the way. Holds what became of one piece,
/// ``Relay/transformedAtOnce`` octets of content, until the sink takes it.
open class BodyTransformation {
    /// What the sink has not taken yet.
    public final var output = ByteBuffer()
    /// ``end(_:)`` was asked.
    public final internal(set) var hasEnded = false

    public init() {}

    /// Takes content; appends to ``output`` what becomes of it.
    /// - Returns: false: it is not what it should be, and the body cannot go on.
    open func take(_ content: ByteView) -> Bool { preconditionFailure("an abstract transformation") }

    /// No more content is there for now: appends to ``output`` what should not wait for it.
    open func pause() -> Bool { true }

    /// Whether the source's trailers go on behind what became of its content.
    open var keepsTrailers: Bool { false }

    /// The output's memory is not needed any more.
    open func releaseOutput() { output.release() }

    /// As new, for another body.
    public final func restart() {
        output.clear()
        hasEnded = false
    }

    /// The content is complete; its trailers can be taken from the source, and are dropped unless they are kept.
    open func end(_ source: MessageStream) -> Bool { preconditionFailure("an abstract transformation") }
}

extension Relay {
    /// Octets of content that are transformed in one go.
    public static let transformedAtOnce = 8 * 1024

    /// As ``run(from:to:moved:tap:)``, of a body that is transformed.
    /// - Parameter tap: sees what comes out of the transformation.
    public static func run(
        from source: MessageStream, to sink: MessageStream, through transformation: BodyTransformation,
        moved: inout UInt64, tap: BodyTap? = nil
    ) -> Progress {
        var budget = octetsPerTurn
        while true {
            if !transformation.output.isEmpty {
                let taken = sink.write(body: transformation.output.view)
                tap?.passed(transformation.output.view.upTo(taken))
                transformation.output.consume(taken)
                budget -= taken
                if sink.failure != nil { return .sinkFailed }
                if !transformation.output.isEmpty, !sink.mayWrite { return .waiting }
                if budget <= 0 { return .unfinished }
                continue
            }
            transformation.output.clear()
            switch source.incoming.next(&source.input) {
            case .data(let run):
                let piece = run.upTo(min(run.count, transformedAtOnce))
                guard transformation.take(piece) else { return .contentRefused }
                source.incoming.consume(piece.count, from: &source.input)
                source.contentTaken(piece.count)
                moved &+= UInt64(piece.count)
                budget -= piece.count
            case .complete:
                if !transformation.hasEnded {
                    transformation.hasEnded = true
                    guard transformation.end(source) else { return .contentRefused }
                    if !transformation.keepsTrailers { source.dropTrailers() }
                    continue
                }
                if sink.outgoing != .none { sink.endBody(after: transformation.keepsTrailers ? source : nil) }
                if sink.flush() {
                    transformation.releaseOutput()
                    return .complete
                }
                return sink.failure != nil ? .sinkFailed : .waiting
            case .needMore:
                switch source.fill() {
                case .more: continue
                case .nothing:
                    guard transformation.pause() else { return .contentRefused }
                    if !transformation.output.isEmpty { continue }
                    return sink.flush() || sink.failure == nil ? .waiting : .sinkFailed
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
}
