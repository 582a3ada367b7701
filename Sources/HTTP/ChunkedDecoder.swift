import Core

/// Takes the chunked coding off a body (RFC 9112, section 7.1), strictly and in whatever pieces it comes. Content is
/// never copied. Extensions are checked and dropped. Size lines are eaten as they come; only a trailer section has to
/// lie in the view as a whole.
///
///     sizeStart ─▶ size ─▶ (extension…) ─▶ sizeLF ─▶ data ─▶ dataCR ─▶ dataLF ─▶ sizeStart
///                                             └─ size 0 ─▶ trailers ─▶ done
public struct ChunkedDecoder: ~Copyable {
    private enum State: UInt8 {
        case sizeStart, size, sizeLF, data, dataCR, dataLF, trailers, done
        case nameStart, name, beforeEquals, valueStart, valueToken, valueQuoted, valueEscape, afterValue
    }

    private var state = State.sizeStart
    private var digits: UInt8 = 0
    private var lineOctets = 0
    private var overhead = 0
    /// Octets of the present chunk still to come; while its line is read, the size so far.
    private var remaining: UInt64 = 0
    private var lineStart = 0
    private var searched = 0
    private let limits: ChunkedLimits

    /// The trailer fields that may be forwarded, once ``ChunkedStep/end(section:)`` was returned. Those that RFC 9110,
    /// section 6.5.1, forbids (framing, routing, authentication, content format) were checked and left out.
    public private(set) var trailers = FieldTable()

    public init(limits: ChunkedLimits = ChunkedLimits()) { self.limits = limits }

    /// Ready for the next body; keeps the memory of the trailers' table.
    public mutating func reset() {
        state = .sizeStart
        digits = 0
        lineOctets = 0
        overhead = 0
        remaining = 0
        lineStart = 0
        searched = 0
        trailers.removeAll()
    }

    /// Whether the end of the body was found.
    public var isDone: Bool { state == .done }

    /// The next thing in `input`, which begins where the last step's `consumed` ended. Not to be called after `end` or
    /// `refused`.
    public mutating func next(_ input: ByteView) -> ChunkedStep {
        precondition(state != .done, "a chunked body goes on after its end")
        guard let p = input.base else { return .needMore(consumed: 0) }
        var at = 0
        while at < input.count {
            switch state {
            case .data:
                let length = Int(min(remaining, UInt64(input.count - at)))
                remaining -= UInt64(length)
                if remaining == 0 { state = .dataCR }
                return .data(at..<(at + length))
            case .dataCR:
                guard p[at] == ASCII.cr else { return .refused(.missingCRLFAfterData) }
                state = .dataLF
            case .dataLF:
                guard p[at] == ASCII.lf else { return .refused(.missingCRLFAfterData) }
                startSizeLine()
            case .trailers: return readTrailers(p, at, input.count)
            case .done: preconditionFailure("a chunked body goes on after its end")
            case .sizeStart, .size, .sizeLF, .nameStart, .name, .beforeEquals, .valueStart, .valueToken,
                .valueQuoted, .valueEscape, .afterValue:
                lineOctets += 1
                if lineOctets > limits.sizeLine { return .refused(.sizeLineTooLong) }
                if let refusal = sizeLine(p[at]) { return .refused(refusal) }
            }
            at += 1
        }
        return .needMore(consumed: at)
    }

    private mutating func startSizeLine() {
        state = .sizeStart
        digits = 0
        lineOctets = 0
        remaining = 0
    }

    // MARK: the chunk-size line

    private mutating func sizeLine(_ byte: UInt8) -> ChunkedRefusal? {
        switch state {
        case .sizeStart, .size:
            if let digit = ASCII.hexValue(byte) {
                guard digits < ChunkedLimits.sizeDigits else { return .sizeTooLong }
                digits += 1
                remaining = remaining << 4 | UInt64(digit)
                state = .size
                return nil
            }
            if state == .sizeStart { return byte == ASCII.lf ? .bareLineFeed : .missingSize }
            switch byte {
            case ASCII.cr: state = .sizeLF
            case ASCII.semicolon: state = .nameStart
            case ASCII.lf: return .bareLineFeed
            default: return .illegalSize
            }
        case .sizeLF:
            guard byte == ASCII.lf else { return .bareCarriageReturn }
            return endSizeLine()
        default: return extensionOctet(byte)
        }
        return nil
    }

    private mutating func endSizeLine() -> ChunkedRefusal? {
        // Content pays for framing; what it does not pay for adds up.
        let allowance = 16 + 2 * min(remaining, UInt64(ChunkedLimits.overhead))
        overhead = max(0, overhead + lineOctets - Int(allowance))
        if overhead > ChunkedLimits.overhead { return .tooMuchOverhead }
        state = remaining == 0 ? .trailers : .data
        return nil
    }

    /// RFC 9112, section 7.1.1: `;name`, `;name=token`, `;name="quoted"`, any number. Blanks, which the grammar calls
    /// bad, are taken where it has them behind a `;` and around a `=`, not directly behind the size or at the line's end.
    private mutating func extensionOctet(_ byte: UInt8) -> ChunkedRefusal? {
        if byte == ASCII.lf { return .bareLineFeed }
        let isToken = OctetScan.isToken(byte)
        let isBlank = ASCII.isBlank(byte)
        switch state {
        case .nameStart where isToken: state = .name
        case .nameStart where isBlank: break
        case .name where isToken: break
        case .name where isBlank: state = .beforeEquals
        case .name where byte == ASCII.equals, .beforeEquals where byte == ASCII.equals: state = .valueStart
        case .beforeEquals where isBlank, .valueStart where isBlank: break
        case .valueStart where isToken: state = .valueToken
        case .valueStart where byte == 0x22: state = .valueQuoted
        case .valueToken where isToken: break
        case .valueQuoted where byte == 0x22: state = .afterValue
        case .valueQuoted where byte == 0x5C: state = .valueEscape
        case .valueQuoted where isQuotable(byte): break
        case .valueEscape where isQuotable(byte): state = .valueQuoted
        case .name where byte == ASCII.semicolon, .valueToken where byte == ASCII.semicolon,
            .afterValue where byte == ASCII.semicolon:
            state = .nameStart
        case .name where byte == ASCII.cr, .valueToken where byte == ASCII.cr, .afterValue where byte == ASCII.cr:
            state = .sizeLF
        default: return .illegalExtension
        }
        return nil
    }

    private func isQuotable(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == ASCII.tab }

    // MARK: the trailer section

    /// Line by line as they come; nothing is consumed before the section is whole, because the table points into it.
    private mutating func readTrailers(_ p: UnsafePointer<UInt8>, _ start: Int, _ count: Int) -> ChunkedStep {
        // `start` is not 0 only in the call that found the last chunk; the section begins there, and from the next
        // call on at the view's first octet.
        let section = p + start
        let available = count - start
        let end = min(available, limits.trailers)
        // Hardly any body has trailers, and without them the table needs no memory.
        if lineStart == 0, available >= 2, section[0] == ASCII.cr, section[1] == ASCII.lf {
            state = .done
            return .end(section: start..<(start + 2))
        }
        if searched > lineStart, available < limits.trailers,
            ByteView(section, count: available).firstIndex(of: ASCII.lf, from: searched) == nil
        {
            searched = available
            return .needMore(consumed: start)
        }
        var stop = FieldLineParser.Stop.incomplete
        lineStart = trailers.readLines(section, lineStart, end, limit: limits.trailerFields, &stop)
        switch stop {
        case .sectionEnd(let next):
            let view = ByteView(section, count: next)
            trailers.classifyAll(in: view) { ForbiddenTrailers.allows($0.name, $0.name(in: view)) }
            state = .done
            return .end(section: start..<(start + next))
        case .incomplete:
            if available >= limits.trailers { return .refused(.trailersTooLarge) }
            searched = available
            return .needMore(consumed: start)
        case .refused(.tooManyFields): return .refused(.tooManyTrailers)
        case .refused(let refusal): return .refused(.illegalTrailer(refusal))
        }
    }
}
