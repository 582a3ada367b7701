import Core
import IO

/// The access log of one worker: records become lines in a bounded batch, which is written at the end of a loop turn when
/// it is large or old. Several workers share one file: every write appends whole lines.
///
/// Nothing here blocks or allocates once it stands. What cannot be written (a full pipe, a full disk) is lost, counted
/// in ``Counter/accessLogLostLines``, and traffic goes on.
public final class AccessLog: Timed {
    /// A batch this large is written at the end of the turn.
    public static let flushSize = 32 * 1024
    /// A line waits at most this long, plus one turn.
    public static let flushAge = TimeAmount.milliseconds(100)
    /// The most that waits for a full pipe; what comes then is lost.
    public static let batchCapacity = 256 * 1024
    /// The most octets of one escaped value in a file.
    public static let fileValueLimit = 8 * 1024
    /// The same on a pipe, where a line longer than PIPE_BUF could be torn apart by another worker's.
    public static let pipeValueLimit = 256

    private let option: AccessLogOption
    private let loop: EventLoop
    private let statistics: WorkerStatistics
    private var output: LogOutput?
    private var line: AccessLine
    private var batch: ByteBuffer
    /// The last write ended within a line (a disk that filled up): the next one begins with a line end.
    private var isTorn = false

    /// - Throws: the errno of opening the file.
    public init(_ option: AccessLogOption, loop: EventLoop, statistics: WorkerStatistics) throws(Errno) {
        self.option = option
        self.loop = loop
        self.statistics = statistics
        let format: AccessLogFormat
        switch option {
        case .off:
            format = .text
            output = nil
        case .standardOutput(let wanted):
            format = wanted
            output = LogOutput.standard(1)
        case .file(let wanted, let path):
            format = wanted
            output = try LogOutput.file(path)
        }
        line = AccessLine(
            format: format, valueLimit: output?.kind == .file ? Self.fileValueLimit : Self.pipeValueLimit)
        batch = output == nil ? ByteBuffer() : ByteBuffer(capacity: Self.batchCapacity)
        super.init()
        if output != nil { loop.atEndOfTurn { [unowned self] in endOfTurn() } }
    }

    /// Whether a record would be written at all; making one may be skipped otherwise.
    public var isOn: Bool { output != nil }

    public func append(_ record: borrowing AccessRecord) {
        guard output != nil else { return }
        if batch.room < line.longestLine {
            batch.compact()
            if batch.room < line.longestLine { flush() }
            if batch.room < line.longestLine {
                statistics.increment(.accessLogLostLines)
                return
            }
        }
        if batch.isEmpty { loop.setDeadline(self, loop.now + Self.flushAge) }
        line.write(record, to: &batch)
    }

    private func endOfTurn() {
        if batch.count >= Self.flushSize { flush() }
    }

    public override func deadlinePassed(now: Instant) { flush() }

    /// Writes what waits, as far as the output takes it.
    public func flush() {
        guard let output else { return }
        while !batch.isEmpty {
            let piece = nextPiece()
            if isTorn {
                guard case .octets(1) = output.write(ByteView("\n")) else { break }
                isTorn = false
            }
            switch output.write(piece) {
            case .octets(piece.count): batch.consume(piece.count)
            case .octets(let count) where count > 0 && piece[count - 1] == ASCII.lf: batch.consume(count)
            case .octets(let count) where count > 0:
                // A disk that is nearly full. The line that was cut is lost as a line; the rest gets its chance.
                isTorn = true
                statistics.increment(.accessLogLostLines)
                batch.consume(piece.firstIndex(of: ASCII.lf, from: count).map { $0 + 1 } ?? piece.count)
            case .wouldBlock:
                // Kept: the batch is bounded, and the next deadline tries again.
                batch.compact()
                loop.setDeadline(self, loop.now + Self.flushAge)
                return
            case .octets, .endOfFile, .failed: lose(piece)
            }
        }
        if batch.isEmpty {
            batch.clear()
            loop.clearDeadline(self)
        } else {
            loop.setDeadline(self, loop.now + Self.flushAge)
        }
    }

    /// Whole lines that may go in one write.
    private func nextPiece() -> ByteView {
        let all = batch.view
        guard output?.kind == .pipe, all.count > LogOutput.pipeAtom else { return all }
        // A line is never longer than the atom on a pipe, so there is an end within it.
        let end = all.upTo(LogOutput.pipeAtom).lastIndex(of: ASCII.lf) ?? LogOutput.pipeAtom - 1
        return all.upTo(end + 1)
    }

    private func lose(_ piece: ByteView) {
        var lines: UInt64 = 0
        for i in piece.indices where piece[i] == ASCII.lf { lines += 1 }
        statistics.increment(.accessLogLostLines, by: lines)
        batch.consume(piece.count)
    }

    /// Opens the file anew (SIGUSR1, after a rotation). When that fails the old one is kept and the errno returned.
    public func reopen() -> Errno? {
        flush()
        guard case .file(_, let path) = option else { return nil }
        do {
            output = try LogOutput.file(path)
            return nil
        } catch {
            return error
        }
    }

    /// Writes what is left and lets the loop go. To be called before the last reference is dropped.
    public func close() {
        flush()
        loop.clearDeadline(self)
    }
}
