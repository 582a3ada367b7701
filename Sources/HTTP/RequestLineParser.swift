import Core

/// Reads a request line (RFC 9112, section 3): a method, one space, a target, one space, a version, CRLF.
enum RequestLineParser {
    enum Step {
        case next(Int)
        case incomplete
        case refused(HeadRefusal)
    }

    static func parse(_ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int, into head: inout RequestHead) -> Step {
        var methodEnd = at &+ 3
        if at &+ 4 <= end, OctetWords.begins(p + at, with: "GET ") {
            head.method = .get
        } else {
            methodEnd = OctetScan.endOfToken(p, at, end)
            guard methodEnd < end else { return .incomplete }
            guard p[methodEnd] == ASCII.space, methodEnd > at else { return .refused(lineOffence(p[methodEnd])) }
            head.method = Method(ByteView(p + at, count: methodEnd - at))
        }
        head.methodRange = OctetRange(offset: at, length: methodEnd - at)

        let start = methodEnd + 1
        let pathEnd = OctetScan.endOfPath(p, start, end)
        guard pathEnd < end else { return .incomplete }
        var stop = pathEnd
        if p[stop] == ASCII.question {
            stop = OctetScan.endOfTarget(p, stop + 1, end)
            guard stop < end else { return .incomplete }
            head.hasQuery = true
            head.query = OctetRange(offset: pathEnd + 1, length: stop - pathEnd - 1)
        }
        guard p[stop] == ASCII.space, stop > start else {
            return .refused(
                p[stop] == 0x23 ? .fragmentInTarget : stop > start ? targetOffence(p[stop]) : lineOffence(p[stop]))
        }
        head.target = OctetRange(offset: start, length: stop - start)
        if p[start] == ASCII.slash, head.method != .connect {
            head.path = OctetRange(offset: start, length: pathEnd - start)
        } else if let refusal = unusualTarget(p, start, pathEnd, &head) {
            return .refused(refusal)
        }
        return version(p, stop + 1, end, &head)
    }

    // MARK: targets that do not begin with a slash (RFC 9112, sections 3.2.2 to 3.2.4)

    @inline(never) private static func unusualTarget(
        _ p: UnsafePointer<UInt8>, _ start: Int, _ pathEnd: Int, _ head: inout RequestHead
    ) -> HeadRefusal? {
        if head.method == .connect { return authorityForm(p, start, &head) }
        if head.target.length == 1, p[start] == 0x2A {
            head.targetForm = .asterisk
            // The preface of HTTP/2 reads like a request until its version (RFC 9113, section 3.4).
            return head.method == .options || isPreface(p, head) ? nil : .targetFormNotForMethod
        }
        return absoluteForm(p, start, pathEnd, &head)
    }

    private static func isPreface(_ p: UnsafePointer<UInt8>, _ head: borrowing RequestHead) -> Bool {
        head.methodRange.length == 3
            && ByteView(p + Int(head.methodRange.offset), count: 3).equals("PRI") && head.targetForm == .asterisk
    }

    private static func authorityForm(
        _ p: UnsafePointer<UInt8>, _ start: Int, _ head: inout RequestHead
    ) -> HeadRefusal? {
        let text = ByteView(p + start, count: Int(head.target.length))
        guard !head.hasQuery, text.firstIndex(of: ASCII.slash) == nil else { return .targetFormNotForMethod }
        guard let authority = Authority(text), authority.port != nil else { return .illegalAuthority }
        head.targetForm = .authority
        take(authority, at: start, length: text.count, &head)
        return nil
    }

    private static func absoluteForm(
        _ p: UnsafePointer<UInt8>, _ start: Int, _ pathEnd: Int, _ head: inout RequestHead
    ) -> HeadRefusal? {
        let text = ByteView(p + start, count: pathEnd - start)
        let schemeEnd: Int
        if text.count >= 7, text.upTo(7).equalsIgnoringCase("http://") {
            schemeEnd = 7
            head.scheme = .http
        } else if text.count >= 8, text.upTo(8).equalsIgnoringCase("https://") {
            schemeEnd = 8
            head.scheme = .https
        } else {
            // Something like `ftp://…` has a scheme; anything else is no target at all.
            let colon = text.firstIndex(of: ASCII.colon)
            let hasScheme = colon.map { $0 > 0 && OctetScan.endOfToken(p, start, start + $0) == start + $0 } ?? false
            return hasScheme ? .unsupportedScheme : .illegalTarget
        }
        let authorityEnd = text.firstIndex(of: ASCII.slash, from: schemeEnd) ?? text.count
        guard let authority = Authority(text[schemeEnd..<authorityEnd]) else { return .illegalAuthority }
        head.targetForm = .absolute
        take(authority, at: start + schemeEnd, length: authorityEnd - schemeEnd, &head)
        head.path = OctetRange(offset: start + authorityEnd, length: text.count - authorityEnd)
        return nil
    }

    private static func take(_ authority: Authority, at start: Int, length: Int, _ head: inout RequestHead) {
        head.authority = OctetRange(offset: start, length: length)
        head.host = OctetRange(offset: start, length: authority.hostLength)
        head.port = authority.port
    }

    // MARK: version

    @inline(__always) private static func version(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ head: inout RequestHead
    ) -> Step {
        if at &+ 10 <= end, OctetWords.begins(p + at, with: "HTTP/1.1"),
            p[at &+ 8] == ASCII.cr, p[at &+ 9] == ASCII.lf, head.targetForm != .asterisk
        {
            head.minorVersion = 1
            return .next(at + 10)
        }
        return unusualVersion(p, at, end, &head)
    }

    /// Every version but the usual one, octet by octet, so that what is already wrong is refused before the line ends.
    @inline(never) private static func unusualVersion(
        _ p: UnsafePointer<UInt8>, _ at: Int, _ end: Int, _ head: inout RequestHead
    ) -> Step {
        let name = ByteView("HTTP/")
        for i in 0..<8 {
            guard at + i < end else { return .incomplete }
            let byte = p[at + i]
            let fits = i < 5 ? byte == name[i] : i == 6 ? byte == ASCII.dot : ASCII.isDigit(byte)
            if !fits { return .refused(byte == ASCII.lf ? .bareLineFeed : .malformedVersion) }
        }
        guard at + 8 < end else { return .incomplete }
        guard p[at + 8] == ASCII.cr else { return .refused(p[at + 8] == ASCII.lf ? .bareLineFeed : .malformedVersion) }
        guard at + 9 < end else { return .incomplete }
        guard p[at + 9] == ASCII.lf else { return .refused(.bareCarriageReturn) }
        let major = p[at + 5] - 0x30
        let minor = p[at + 7] - 0x30
        if isPreface(p, head) { return .refused(major == 2 && minor == 0 ? .http2Preface : .targetFormNotForMethod) }
        guard major == 1 else { return .refused(.unsupportedVersion) }
        // RFC 9110, section 2.5: a higher minor version is served as the highest that we know.
        head.minorVersion = min(minor, 1)
        return .next(at + 10)
    }

    private static func lineOffence(_ byte: UInt8) -> HeadRefusal {
        byte == ASCII.lf ? .bareLineFeed : .malformedRequestLine
    }

    /// An octet that ended the target and is no space. CR is the end of a line without version (HTTP/0.9).
    private static func targetOffence(_ byte: UInt8) -> HeadRefusal {
        switch byte {
        case ASCII.lf: .bareLineFeed
        case ASCII.cr: .malformedRequestLine
        default: .illegalTarget
        }
    }
}

extension Method {
    /// By the octets of a token; methods are case-sensitive (RFC 9110, section 9.1).
    public init(_ token: ByteView) {
        self =
            switch token.count {
            case 3: token.equals("GET") ? .get : token.equals("PUT") ? .put : .other
            case 4: token.equals("POST") ? .post : token.equals("HEAD") ? .head : .other
            case 5: token.equals("PATCH") ? .patch : token.equals("TRACE") ? .trace : .other
            case 6: token.equals("DELETE") ? .delete : .other
            case 7: token.equals("OPTIONS") ? .options : token.equals("CONNECT") ? .connect : .other
            default: .other
            }
    }
}
