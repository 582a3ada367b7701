import Core

/// Writes one received header block as text, field by field as HPACK gives them out (RFC 9113, section 8). There is one
/// block at a time on a connection, so each session has one of these.
///
/// The library has refused already what RFC 9113 calls malformed in a field alone: upper-case names, octets that no name or
/// value may have, connection-specific fields, unknown, repeated or misplaced pseudo-header fields. What is written here is read by
/// the strict parsers of HTTP/1.1 before anybody acts on it, so there is one set of rules for targets, authorities and lengths,
/// and one reading.
struct HTTP2BlockReader: ~Copyable {
    enum Kind: UInt8 { case none, request, response, trailers, ignored }
    enum Step { case next, malformed, tooMuch }

    /// Octets of memory that a lane's first head gets: most fit.
    private static let firstRoom = 512

    private(set) var kind = Kind.none
    /// The block is for a lane whose text began here.
    private var start = 0
    private var limits = HeadLimits.request
    private var octets = 0
    private var fields = 0
    private var refusal: HeadRefusal?
    private var wroteFirstLine = false
    /// Values of the pseudo-header fields, and crumbs of cookies, until they can be written.
    private var pseudo = ByteBuffer()
    private var crumbs = ByteBuffer()
    private var method = OctetRange.none
    private var path = OctetRange.none
    private var authority = OctetRange.none
    private var hasAuthority = false
    private var protocolName = OctetRange.none
    private var isConnect = false
    private var status: UInt16 = 0

    init() {}

    /// Of a response: not an interim one.
    var isFinal: Bool { status >= 200 }

    mutating func begin(_ kind: Kind, on lane: HTTP2Lane, limits: HeadLimits) {
        self.kind = kind
        self.limits = limits
        if kind != .trailers { lane.heads.reserve(Self.firstRoom) }
        start = kind == .trailers ? lane.trailers.count : lane.heads.count
        octets = 0
        fields = 0
        refusal = nil
        wroteFirstLine = false
        pseudo.clear()
        crumbs.clear()
        method = .none
        path = .none
        authority = .none
        hasAuthority = false
        protocolName = .none
        isConnect = false
        status = 0
    }

    /// Gives up its memory, between blocks.
    mutating func release() {
        guard kind == .none else { return }
        pseudo.release()
        crumbs.release()
    }

    // MARK: fields

    mutating func field(_ name: ByteView, _ value: ByteView, on lane: HTTP2Lane) -> Step {
        octets += name.count + value.count + 32
        let isPseudo = name.count > 0 && name[0] == ASCII.colon
        if !isPseudo { fields += 1 }
        if octets > limits.octets * HTTP2Limits.droppedHeads || fields > limits.fields * HTTP2Limits.droppedHeads {
            return .tooMuch
        }
        guard refusal == nil else { return .next }
        if fields > limits.fields { return refuse(.tooManyFields, lane) }
        if octets > limits.octets { return refuse(.headTooLarge, lane) }
        if isPseudo { return pseudoField(name, value, lane) }
        switch kind {
        case .trailers: return trailer(name, value, lane)
        case .request, .response: break
        case .none, .ignored: return .next
        }
        if !wroteFirstLine { writeFirstLine(lane) }
        if kind == .request {
            if name.equals("cookie") {
                // RFC 9113, section 8.2.3: the crumbs are one field to everybody who does not speak HTTP/2.
                if !crumbs.isEmpty { crumbs.append("; ") }
                crumbs.append(value)
                return .next
            }
            if hasAuthority, name.equals("host") {
                // Section 8.3.1: `:authority` counts; a Host that says something else is how two readings begin.
                return authority.of(pseudo.view).equalsIgnoringCase(value) ? .next : .malformed
            }
        }
        lane.heads.appendLine(name, value)
        return .next
    }

    private mutating func refuse(_ reason: HeadRefusal, _ lane: HTTP2Lane) -> Step {
        refusal = reason
        if kind == .trailers {
            lane.trailers.truncate(lane.trailers.count - start)
        } else {
            lane.heads.truncate(lane.heads.count - start)
        }
        return .next
    }

    private mutating func pseudoField(_ name: ByteView, _ value: ByteView, _ lane: HTTP2Lane) -> Step {
        let range = OctetRange(offset: pseudo.count, length: value.count)
        // The library lets no others through, so the length and a letter tell them apart.
        switch name.count {
        case 5:  // :path
            path = range
        case 10:  // :authority
            authority = range
            hasAuthority = true
        case 9:  // :protocol
            protocolName = range
        case 7 where name[1] == 0x6D:  // :method
            method = range
            isConnect = value.equals("CONNECT")
        case 7 where name[2] == 0x63:  // :scheme
            if value.equalsIgnoringCase("https") {
                lane.scheme = .https
            } else if value.equalsIgnoringCase("http") {
                lane.scheme = .http
            } else {
                // A gateway to HTTP servers has no other resources (RFC 9113, section 8.3.1).
                return refuse(.unsupportedScheme, lane)
            }
            return .next
        default:  // :status
            status = UInt16(truncatingIfNeeded: value.decimal ?? 0)
            return .next
        }
        pseudo.append(value)
        return .next
    }

    private func trailer(_ name: ByteView, _ value: ByteView, _ lane: HTTP2Lane) -> Step {
        guard ForbiddenTrailers.allows(FieldName(name), name) else { return .next }
        lane.trailers.appendLine(name, value)
        return .next
    }

    // MARK: the first line

    private mutating func writeFirstLine(_ lane: HTTP2Lane) {
        wroteFirstLine = true
        if kind == .response {
            // An accepted extended CONNECT is what HTTP/1.1 says with 101 (RFC 8441, section 5).
            let text: UInt16 = lane.isWebSocket && status >= 200 && status < 300 ? 101 : status
            if text < 100 || text > 999 {
                refusal = .malformedStatusLine
                return
            }
            StatusLine.write(status: text, to: &lane.heads)
            if text == 101 { lane.heads.append("connection: upgrade\r\nupgrade: websocket\r\n") }
            return
        }
        if protocolName.length > 0 {
            lane.isWebSocket = protocolName.of(pseudo.view).equals("websocket")
            // RFC 8441, section 4; RFC 9220 has registered others, which nobody here could serve.
            if !lane.isWebSocket {
                _ = refuse(.unknownConnectProtocol, lane)
                return
            }
            lane.heads.append("GET ")
            lane.heads.append(path.of(pseudo.view))
        } else {
            let target = (isConnect ? authority : path).of(pseudo.view)
            lane.heads.makeRoom(Int(method.length) + target.count + Int(authority.length) + 64)
            lane.heads.append(method.of(pseudo.view))
            lane.heads.append(byte: ASCII.space)
            lane.heads.append(target)
        }
        if hasAuthority {
            lane.heads.append(" HTTP/1.1\r\nhost: ")
            lane.heads.append(authority.of(pseudo.view))
            lane.heads.append("\r\n")
        } else {
            lane.heads.append(" HTTP/1.1\r\n")
        }
    }

    // MARK: the block's end

    /// The block is whole. For heads `lane.heads` ends with one more head, unless `lane.refusal` says why not.
    mutating func end(on lane: HTTP2Lane) {
        defer { kind = .none }
        switch kind {
        case .none, .ignored: return
        case .trailers:
            if let refusal { lane.refusal = refusal }
        case .request, .response:
            if !wroteFirstLine, refusal == nil { writeFirstLine(lane) }
            if let refusal {
                lane.refusal = refusal
                lane.heads.truncate(lane.heads.count - start)
                return
            }
            if !crumbs.isEmpty {
                lane.heads.append("cookie: ")
                lane.heads.append(crumbs.view)
                lane.heads.append("\r\n")
            }
            lane.heads.append("\r\n")
        }
    }

    /// The library gave the block up; what was written of it goes.
    mutating func abandon(on lane: HTTP2Lane) {
        if kind == .request || kind == .response { lane.heads.truncate(max(0, lane.heads.count - start)) }
        kind = .ignored
    }
}
