import Core

/// Reads one request head (RFC 9112, sections 2, 3, 5, 6), strictly: what RFC 9112 lets a recipient tolerate and
/// attackers have used is refused, and there is no lenient mode.
///
/// Feed it everything received since the message's first octet; when it says `incomplete`, feed it the same and more.
/// A line is read when its LF is there: whatever the pieces, no octet is looked at more than twice (once while the LF is
/// searched, once when the line is read), but for the values of the dozen fields that mean something to the gateway.
/// The outcome does not depend on the pieces either: it is the first offence in the order of the octets. Only when it is
/// told may: at once when the line came in one piece, else with the line's LF or at a limit.
public struct RequestHeadParser: BitwiseCopyable, Sendable {
    private enum Phase: UInt8 { case emptyLines, requestLine, fields }

    private var phase = Phase.emptyLines
    private var emptyLines: UInt8 = 0
    /// Where the line that is not yet read begins.
    private var lineStart = 0
    /// No LF of that line lies before here.
    private var searched = 0
    private var meaning = HeadMeaning()

    public init() {}

    /// Forgets everything: the next octets are a new message.
    public mutating func reset() { self = RequestHeadParser() }

    /// Reads as much as there is. After `complete` or `refused`, call ``reset()`` before the next message.
    /// - Parameters:
    ///   - input: the octets from the message's first on; offsets in `head` count from there.
    ///   - head: overwritten; keeps the memory of its field table.
    public mutating func parse(
        _ input: ByteView, into head: inout RequestHead, limits: HeadLimits = .request
    ) -> HeadProgress {
        guard let p = input.base else { return .incomplete }
        if searched > lineStart {
            precondition(input.count >= searched, "a head shrank between two calls")
            guard input.firstIndex(of: ASCII.lf, from: searched) != nil || isPastLimit(input.count, limits) else {
                searched = input.count
                return .incomplete
            }
        }
        // A head that is not complete within its limit never will be; what lies behind the limit is not looked at.
        let end = min(input.count, limits.octets)
        let outcome = read(p, end, into: &head, limits)
        switch outcome {
        case .incomplete:
            if isPastLimit(input.count, limits) {
                return .refused(isLineTooLong(end, limits) ? .requestLineTooLong : .headTooLarge)
            }
            searched = input.count
            return .incomplete
        case .complete, .refused: return outcome
        }
    }

    private func isPastLimit(_ count: Int, _ limits: HeadLimits) -> Bool {
        count >= limits.octets || isLineTooLong(count, limits)
    }

    private func isLineTooLong(_ count: Int, _ limits: HeadLimits) -> Bool {
        phase != .fields && count - lineStart >= limits.requestLine
    }

    private mutating func read(
        _ p: UnsafePointer<UInt8>, _ end: Int, into head: inout RequestHead, _ limits: HeadLimits
    ) -> HeadProgress {
        if phase == .emptyLines {
            // RFC 9112, section 2.2.
            while lineStart < end, p[lineStart] == ASCII.cr {
                guard lineStart + 1 < end else { return .incomplete }
                guard p[lineStart + 1] == ASCII.lf else { return .refused(.bareCarriageReturn) }
                guard Int(emptyLines) < HeadLimits.leadingEmptyLines else { return .refused(.tooManyEmptyLines) }
                emptyLines += 1
                lineStart += 2
            }
            guard lineStart < end else { return .incomplete }
            head.reset()
            phase = .requestLine
        }
        if phase == .requestLine {
            let lineEnd = min(end, lineStart + limits.requestLine)
            switch RequestLineParser.parse(p, lineStart, lineEnd, into: &head) {
            case .incomplete: return .incomplete
            case .refused(let refusal): return .refused(refusal)
            case .next(let next): lineStart = next
            }
            phase = .fields
        }
        var stop = FieldLineParser.Stop.incomplete
        let known = head.fields.count
        lineStart = head.fields.readLines(p, lineStart, end, limit: limits.fields, &stop)
        for i in known..<head.fields.count {
            let line = head.fields.classify(i, p)
            // Fields before an offence are judged before it, so that pieces do not change the outcome.
            if HeadMeaning.isMeant(line.name), let refusal = note(line, p, end, &head) { return .refused(refusal) }
        }
        switch stop {
        case .sectionEnd(let next):
            head.length = next
            return conclude(&head)
        case .incomplete: return .incomplete
        case .refused(let refusal): return .refused(refusal)
        }
    }

    @inline(never) private mutating func note(
        _ line: FieldLine, _ p: UnsafePointer<UInt8>, _ end: Int, _ head: inout RequestHead
    ) -> HeadRefusal? {
        let value = ByteView(p + Int(line.valueOffset), count: Int(line.valueLength))
        guard line.name == .host else { return meaning.note(line.name, value, minorVersion: head.minorVersion) }
        // RFC 9112, section 3.2: exactly one, and valid, whatever the form of the target.
        if meaning.hasHost { return .repeatedHost }
        meaning.hasHost = true
        guard let authority = Authority(value, readable: end - Int(line.valueOffset)) else { return .illegalHost }
        // Section 3.2.2: the authority of an absolute target wins. When they differ, that is no offence: the Host field
        // is as if it had not been sent, and the gateway forwards one made from the target.
        guard head.targetForm != .absolute else { return nil }
        // CONNECT: the target names whom to reach, Host repeats it (section 3.2.3).
        guard head.targetForm != .authority else { return nil }
        head.authority = OctetRange(offset: Int(line.valueOffset), length: value.count)
        head.host = OctetRange(offset: Int(line.valueOffset), length: authority.hostLength)
        head.port = authority.port
        return nil
    }

    /// What can only be said when all fields are known.
    private func conclude(_ head: inout RequestHead) -> HeadProgress {
        let isHTTP11 = head.minorVersion >= 1
        if !meaning.hasHost, isHTTP11 { return .refused(.missingHost) }
        // RFC 9112, section 6.3: a request without either field has no body.
        head.framing = meaning.declaredBody ?? .none
        head.contentLength = meaning.contentLength
        head.rewritesLength = meaning.lengthIsOdd
        let hasContent = head.framing != .none && head.framing != .length(octets: 0)
        if head.method == .connect {
            // RFC 9110, section 9.3.6: what follows the head belongs to the tunnel.
            if hasContent { return .refused(.contentInConnect) }
            head.framing = .none
        }
        head.persistence = meaning.persistence(minorVersion: head.minorVersion)
        // An HTTP/1.0 client cannot read a 100, and without content there is nothing to wait for.
        head.expectsContinue = meaning.expectsContinue && isHTTP11 && hasContent
        // RFC 6455, section 4.1: GET over HTTP/1.1. A body would be taken for frames.
        head.upgradesToWebSocket = meaning.upgradesToWebSocket && isHTTP11 && head.method == .get && !hasContent
        head.acceptsTrailers = meaning.acceptsTrailers
        head.connectionNamesFields = meaning.connectionNamesFields
        return .complete
    }
}
