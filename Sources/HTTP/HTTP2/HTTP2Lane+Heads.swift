import Core

extension HTTP2Lane {
    /// Reads the request's head: offsets into ``heads``, whose first octet is the head's. Called once, at its event.
    /// - Returns: why it is refused, if so: answered like any other malformed request (RFC 9113, section 8.1.1, allows it).
    public func readRequest(into head: inout RequestHead, limits: HeadLimits) -> HeadRefusal? {
        if let refusal { return refusal }
        var parser = RequestHeadParser()
        let text = heads.view
        switch parser.parse(text, into: &head, limits: Self.widened(limits)) {
        case .refused(let refusal): return refusal
        // Neither can be without an octet that was to be refused before: nothing is read twice, or in two ways.
        case .incomplete: return .headTooLarge
        case .complete: if head.length != text.count { return .illegalFieldValue }
        }
        head.majorVersion = 2
        head.scheme = scheme
        head.persistence = .keepAlive
        method = head.method
        if isWebSocket {
            // What follows are frames of WebSocket, in DATA (RFC 8441, section 5).
            if endedWithHead || head.framing != .none && head.framing != .length(octets: 0) { return .contentInConnect }
            head.upgradesToWebSocket = true
            head.framing = .none
        } else if head.method != .connect {
            if head.framing == .none, !endedWithHead {
                head.framing = .chunked
                head.expectsContinue = head.fields.first(.expect) != nil
            }
            if endedWithHead { head.expectsContinue = false }
        }
        return nil
    }

    /// As the parser of HTTP/1.1 does, reads the next head.
    /// - Parameter text: what of ``heads`` was not read yet; `head.length` octets of it are then.
    public func readResponse(_ text: ByteView, into head: inout ResponseHead, limits: HeadLimits) -> HeadProgress {
        if let refusal { return .refused(refusal) }
        guard !text.isEmpty else { return .incomplete }
        var parser = ResponseHeadParser()
        switch parser.parse(text, into: &head, method: method, limits: Self.widened(limits)) {
        case .refused(let refusal): return .refused(refusal)
        case .incomplete: return .refused(.headTooLarge)
        case .complete: break
        }
        head.majorVersion = 2
        head.persistence = .keepAlive
        if head.framing == .untilClose { head.framing = .chunked }
        // Heads that wait behind this one mean that it did not end the stream.
        if endedWithHead, head.length == text.count { head.framing = .none }
        return .complete
    }

    /// The block was counted as it came; its text has a few octets more, and a Host made of `:authority`.
    private static func widened(_ limits: HeadLimits) -> HeadLimits {
        var wide = limits
        wide.octets += 256
        wide.fields += 1
        return wide
    }
}
