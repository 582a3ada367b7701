import Config
import Core
import HTTP

extension RouteTable {
    /// What the request lacks beside the path; nil when the match holds.
    @inline(__always)
    func firstFailure(
        of match: UnsafePointer<MatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> FailedPredicate? {
        if match.pointee.method != MatchConfig.anyMethod, !hasMethod(match, head, bytes) { return .method }
        if match.pointee.headers.isEmpty, match.pointee.queryParams.isEmpty, match.pointee.cookies.isEmpty {
            return nil
        }
        return firstValueFailure(of: match, head, bytes)
    }

    private func hasMethod(
        _ match: UnsafePointer<MatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> Bool {
        guard match.pointee.method == head.method.rawValue else { return false }
        // Methods are compared with their case (RFC 9110, section 9.1).
        return head.method != .other || head.methodRange.of(bytes).equals(snapshot.text(match.pointee.methodText))
    }

    private func firstValueFailure(
        of match: UnsafePointer<MatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> FailedPredicate? {
        let headers = snapshot.records(match.pointee.headers)
        for i in 0..<Int(match.pointee.headers.count) where !hasHeader(headers + i, head, bytes) {
            return .header(headers[i].name)
        }
        let parameters = snapshot.records(match.pointee.queryParams)
        for i in 0..<Int(match.pointee.queryParams.count) where !hasQueryParam(parameters + i, head, bytes) {
            return .queryParam(parameters[i].name)
        }
        let cookies = snapshot.records(match.pointee.cookies)
        for i in 0..<Int(match.pointee.cookies.count) where !hasCookie(cookies + i, head, bytes) {
            return .cookie(cookies[i].name)
        }
        return nil
    }

    /// HTTPCookieMatch. Of a cookie that is sent twice the first counts, as servers have it whose cookies for longer paths
    /// come first (RFC 6265, section 5.4).
    private func hasCookie(
        _ wanted: UnsafePointer<ValueMatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> Bool {
        let name = snapshot.text(wanted.pointee.name)
        for i in 0..<head.fields.count where head.fields[i].name == .cookie {
            if let value = CookieView.firstValue(of: name, in: head.fields[i].value(in: bytes)) {
                return holds(wanted, value)
            }
        }
        return false
    }

    private func hasHeader(
        _ wanted: UnsafePointer<ValueMatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> Bool {
        let name = snapshot.text(wanted.pointee.name)
        guard let value = fieldValue(wanted.pointee.fieldName, name, head, bytes) else { return false }
        return holds(wanted, value)
    }

    /// The value of a header field, as HTTPHeaderMatch and policies see it; nil: it is not there. Several lines of one name
    /// are one value, joined by commas in their order (RFC 9110, section 5.3); those of Cookie by "; " (RFC 9113, section
    /// 8.2.3). Valid until the next question.
    func fieldValue(
        _ known: FieldName, _ name: ByteView, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> ByteView? {
        guard let first = nextLine(of: known, name, head, bytes, from: 0) else { return nil }
        let value = head.fields[first].value(in: bytes)
        guard let second = nextLine(of: known, name, head, bytes, from: first + 1) else { return value }
        scratch.clear()
        scratch.append(value)
        var next: Int? = second
        while let line = next {
            if name.equalsIgnoringCase("cookie") {
                scratch.append("; ")
            } else {
                scratch.append(byte: ASCII.comma)
            }
            scratch.append(head.fields[line].value(in: bytes))
            next = nextLine(of: known, name, head, bytes, from: line + 1)
        }
        return scratch.view
    }

    /// A well-known name is one number; others are compared by their octets, without case.
    private func nextLine(
        of known: FieldName, _ name: ByteView, _ head: borrowing RequestHead, _ bytes: ByteView, from start: Int
    ) -> Int? {
        if known == .other { return head.fields.firstIndex(named: name, in: bytes, from: start) }
        var index = start
        while index < head.fields.count {
            if head.fields[index].name == known { return index }
            index += 1
        }
        return nil
    }

    /// HTTPQueryParamMatch: decoded, with their case; of a repeated parameter the first value counts, as the CRD
    /// recommends.
    private func hasQueryParam(
        _ wanted: UnsafePointer<ValueMatchConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> Bool {
        guard head.hasQuery else { return false }
        let name = snapshot.text(wanted.pointee.name)
        guard let value = QueryView.firstValue(of: name, in: head.query.of(bytes)) else { return false }
        switch wanted.pointee.kind {
        case .exact: return QueryView.decodes(value, to: snapshot.text(wanted.pointee.value))
        case .regularExpression:
            scratch.clear()
            QueryView.decode(value, into: &scratch)
            return pattern(wanted.pointee.pattern).matches(scratch.view)
        }
    }

    private func holds(_ wanted: UnsafePointer<ValueMatchConfig>, _ value: ByteView) -> Bool {
        switch wanted.pointee.kind {
        case .exact: value.equals(snapshot.text(wanted.pointee.value))
        case .regularExpression: pattern(wanted.pointee.pattern).matches(value)
        }
    }
}
