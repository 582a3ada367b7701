import Core

/// Reads one response head (RFC 9112, sections 4, 5, 6), as strictly as ``RequestHeadParser`` reads requests, and with
/// the same way of being fed. A refused head is a 502 for the client, and that connection is never used again.
public struct ResponseHeadParser: BitwiseCopyable, Sendable {
    private enum Phase: UInt8 { case start, statusLine, fields }

    private var phase = Phase.start
    private var lineStart = 0
    private var searched = 0
    private var meaning = HeadMeaning()

    public init() {}

    /// Forgets everything: the next octets are a new message. Also between a 1xx and the response that follows it.
    public mutating func reset() { self = ResponseHeadParser() }

    /// Reads as much as there is. After `complete` or `refused`, call ``reset()`` before the next message.
    /// - Parameters:
    ///   - input: the octets from the message's first on; offsets in `head` count from there.
    ///   - head: overwritten; keeps the memory of its field table.
    ///   - method: of the request that this answers: it decides whether a body follows (RFC 9112, section 6.3).
    public mutating func parse(
        _ input: ByteView, into head: inout ResponseHead, method: Method, limits: HeadLimits = .response
    ) -> HeadProgress {
        guard let p = input.base else { return .incomplete }
        if searched > lineStart {
            precondition(input.count >= searched, "a head shrank between two calls")
            guard input.firstIndex(of: ASCII.lf, from: searched) != nil || isPastLimit(input.count, limits) else {
                searched = input.count
                return .incomplete
            }
        }
        let end = min(input.count, limits.octets)
        let outcome = read(p, end, into: &head, method, limits)
        switch outcome {
        case .incomplete:
            if isPastLimit(input.count, limits) { return .refused(.headTooLarge) }
            searched = input.count
            return .incomplete
        case .complete, .refused: return outcome
        }
    }

    private func isPastLimit(_ count: Int, _ limits: HeadLimits) -> Bool {
        count >= limits.octets || (phase != .fields && count - lineStart >= limits.requestLine)
    }

    private mutating func read(
        _ p: UnsafePointer<UInt8>, _ end: Int, into head: inout ResponseHead, _ method: Method, _ limits: HeadLimits
    ) -> HeadProgress {
        if phase == .start {
            head.reset()
            phase = .statusLine
        }
        if phase == .statusLine {
            switch Self.statusLine(p, 0, min(end, limits.requestLine), &head) {
            case .next(let next): lineStart = next
            case .incomplete: return .incomplete
            case .refused(let refusal): return .refused(refusal)
            }
            phase = .fields
        }
        var stop = FieldLineParser.Stop.incomplete
        let known = head.fields.count
        lineStart = head.fields.readLines(p, lineStart, end, limit: limits.fields, &stop)
        for i in known..<head.fields.count {
            let line = head.fields.classify(i, p)
            guard HeadMeaning.isMeant(line.name), line.name != .expect else { continue }
            let value = ByteView(p + Int(line.valueOffset), count: Int(line.valueLength))
            if let refusal = meaning.note(line.name, value, minorVersion: head.minorVersion) {
                return .refused(refusal)
            }
        }
        switch stop {
        case .sectionEnd(let next):
            head.length = next
            return conclude(&head, method)
        case .incomplete: return .incomplete
        case .refused(let refusal): return .refused(refusal)
        }
    }

    // MARK: status line

    /// RFC 9112, section 4: `HTTP/1.x`, one space, three digits, and a space with a reason that may be empty. The space
    /// may be missing when there is no reason: servers in use leave it out, and nothing can be read into it.
    private static func statusLine(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ head: inout ResponseHead
    ) -> RequestLineParser.Step {
        if at &+ 12 <= end, OctetWords.begins(p + at, with: "HTTP/1.1"), p[at + 8] == ASCII.space,
            p[at + 9] &- 0x31 < 9, ASCII.isDigit(p[at + 10]), ASCII.isDigit(p[at + 11])
        {
            head.minorVersion = 1
        } else if let stop = unusualStart(p, at, end, &head) {
            return stop
        }
        head.status = UInt16(p[at + 9] - 0x30) * 100 + UInt16(p[at + 10] - 0x30) * 10 + UInt16(p[at + 11] - 0x30)
        var low = at + 12
        guard low < end else { return .incomplete }
        if p[low] == ASCII.space { low += 1 } else if p[low] != ASCII.cr { return .refused(lineOffence(p[low])) }
        let stop = OctetScan.endOfValue(p, low, end)
        guard stop < end else { return .incomplete }
        guard p[stop] == ASCII.cr else { return .refused(lineOffence(p[stop])) }
        guard stop + 1 < end else { return .incomplete }
        guard p[stop + 1] == ASCII.lf else { return .refused(.bareCarriageReturn) }
        head.reason = OctetRange(offset: low, length: stop - low)
        return .next(stop + 2)
    }

    /// Version and status octet by octet, so that what is already wrong is refused before the line ends. Nil: legal.
    @inline(never) private static func unusualStart(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ head: inout ResponseHead
    ) -> RequestLineParser.Step? {
        let name = ByteView("HTTP/")
        for i in 0..<12 {
            guard at + i < end else { return .incomplete }
            let byte = p[at + i]
            let fits: Bool =
                switch i {
                case 0..<5: byte == name[i]
                case 6: byte == ASCII.dot
                case 8: byte == ASCII.space
                case 9: byte >= 0x31 && byte <= 0x39
                default: ASCII.isDigit(byte)
                }
            if !fits { return .refused(byte == ASCII.lf ? .bareLineFeed : .malformedStatusLine) }
        }
        guard p[at + 5] == 0x31 else { return .refused(.unsupportedVersion) }
        head.minorVersion = min(p[at + 7] - 0x30, 1)
        return nil
    }

    private static func lineOffence(_ byte: UInt8) -> HeadRefusal {
        byte == ASCII.lf ? .bareLineFeed : .malformedStatusLine
    }

    // MARK: framing (RFC 9112, section 6.3)

    private func conclude(_ head: inout ResponseHead, _ method: Method) -> HeadProgress {
        head.persistence = meaning.persistence(minorVersion: head.minorVersion)
        head.connectionNamesFields = meaning.connectionNamesFields
        head.contentLength = meaning.contentLength
        head.upgradesToWebSocket = meaning.upgradesToWebSocket
        let isInterim = head.status < 200
        if isInterim || head.status == 204 {
            // RFC 9110, section 8.6, and RFC 9112, section 6.1: neither field may be here. A body that came all the
            // same would be taken for the next response; only a length of 0, which many servers send, is harmless.
            if meaning.isChunked || (meaning.contentLength ?? 0) > 0 { return .refused(.contentWhereNoneMayBe) }
            head.framing = .none
            return .complete
        }
        head.rewritesLength = meaning.lengthIsOdd
        if method == .head || head.status == 304 {
            head.framing = .none
        } else if method == .connect, head.status < 300 {
            head.framing = .none
        } else if let declared = meaning.declaredBody {
            head.framing = declared
        } else {
            head.framing = .untilClose
            head.persistence = .close
        }
        return .complete
    }
}
