import Core
import IO

/// One direction between two connections: octets as they come, and at the end the FIN.
///
/// What the sink does not take stays here and the source is not read meanwhile, so a direction holds at most one block, or
/// one pipe. A source that fills a whole block is taken for bulk, and goes through a kernel pipe (splice) until it pauses.
public struct RawFlow: ~Copyable {
    public enum Progress {
        /// Nothing more to do before one of the two is ready again.
        case waiting
        /// Cut short so that others have their turn; to be called again.
        case unfinished
        /// Everything was passed on, the FIN too.
        case ended
        case sourceFailed
        case sinkFailed
    }

    private var buffer = ByteBuffer()
    private var pipe: Pipe?
    private var isBulk = false
    private var sourceHasEnded = false
    /// Octets of the source that the sink has taken.
    public private(set) var octets: UInt64 = 0
    public private(set) var isOver = false

    public init() {}

    deinit { precondition(pipe == nil && !buffer.hasMemory, "a flow went before it was released") }

    /// Octets wait that the sink did not take.
    public var isHolding: Bool { !buffer.isEmpty || pipe.map { $0.level > 0 } ?? false }

    /// Puts octets of the source in front that were read before the flow began.
    public mutating func begin(with octets: ByteView, resources: ConnectionResources) {
        precondition(pipe == nil && buffer.isEmpty, "the flow has begun")
        guard !octets.isEmpty else { return }
        resources.buffers.supply(&buffer)
        buffer.append(octets)
    }

    /// Moves what both sides allow now.
    public mutating func run(from source: RawConnection, to sink: RawConnection) -> Progress {
        guard !isOver else { return .ended }
        let resources = source.resources
        var budget = Relay.octetsPerTurn
        while true {
            if let pipe, pipe.level > 0 {
                guard sink.mayWrite else { return .waiting }
                switch sink.spliceOut(pipe) {
                case .octets(let count):
                    pipe.level -= count
                    octets &+= UInt64(count)
                    budget -= count
                case .wouldBlock, .endOfFile: return .waiting
                case .failed: return .sinkFailed
                }
            } else if !buffer.isEmpty {
                guard sink.mayWrite else { return .waiting }
                switch sink.send(buffer.view) {
                case .octets(let count):
                    buffer.consume(count)
                    octets &+= UInt64(count)
                    budget -= count
                case .wouldBlock, .endOfFile: return .waiting
                case .failed: return .sinkFailed
                }
            } else if sourceHasEnded {
                release(resources)
                guard sink.finishSending() else { return .waiting }
                isOver = true
                return .ended
            } else if !sink.flush() {
                // What was encrypted and not sent counts as held.
                return sink.failure != nil ? .sinkFailed : .waiting
            } else if !source.mayRead {
                // An empty pipe that waits for a slow source would keep two descriptors from everybody else.
                release(resources)
                return .waiting
            } else if budget <= 0 {
                return .unfinished
            } else if let failed = read(source, sink, resources) {
                return failed
            }
        }
    }

    /// Nil: there is something to pass on, or nothing to read now.
    private mutating func read(_ source: RawConnection, _ sink: RawConnection, _ resources: ConnectionResources)
        -> Progress?
    {
        if isBulk, pipe == nil, source.isSpliceable, sink.isSpliceable { pipe = resources.pipes.lease() }
        let result: Transfer
        if let pipe {
            result = source.spliceIn(pipe)
            if case .octets(let count) = result { pipe.level = count }
            if result == .wouldBlock { isBulk = false }
        } else {
            resources.buffers.supply(&buffer)
            buffer.clear()
            result = source.receive(into: &buffer)
            isBulk = buffer.room == 0
        }
        switch result {
        case .octets, .wouldBlock: break
        case .endOfFile: sourceHasEnded = true
        case .failed: return .sourceFailed
        }
        return nil
    }

    /// Gives what is borrowed back; what was under way in it is lost.
    public mutating func release(_ resources: ConnectionResources) {
        if let pipe {
            resources.pipes.giveBack(pipe)
            self.pipe = nil
        }
        resources.buffers.reclaim(&buffer)
    }
}
