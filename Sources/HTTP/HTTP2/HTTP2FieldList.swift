import CNghttp2
import Core

/// Turns heads written as text into the list of fields that HPACK takes (RFC 9113, sections 8.2 and 8.3). One for all
/// sessions of a worker; its memory is kept. The list points into the text and is good until either changes.
struct HTTP2FieldList: ~Copyable {
    /// `:method`, `:scheme`, `:path`, `:authority`, `:protocol`.
    private static let mostPseudo = 5

    private var base: UnsafeMutablePointer<nghttp2_nv>
    private var capacity: Int
    /// Where the list begins in its memory.
    private var first = 0
    private(set) var count = 0
    /// Of the head under way: the names of what differs from message to message are put into HPACK's table.
    private var namesAreKept = false
    /// What each field says besides: whether the text stays where it is until the head is sent.
    private var copying = NGHTTP2_NV_FLAG_NONE.rawValue

    init() {
        capacity = 64
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    var list: UnsafeMutablePointer<nghttp2_nv> { base + first }

    /// Text that stays need neither be copied by the library nor made lower case, which it is.
    private mutating func begin(at first: Int, stays: Bool, keepsNames: Bool = false) {
        self.first = first
        namesAreKept = keepsNames
        count = 0
        let both = NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue
        copying = stays ? both : NGHTTP2_NV_FLAG_NONE.rawValue
    }

    @inline(never) private mutating func grow() {
        let larger = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: capacity * 2)
        larger.update(from: base, count: capacity)
        base.deallocate()
        base = larger
        capacity *= 2
    }

    @inline(__always) private mutating func append(
        _ name: ByteView, _ value: ByteView, flags: nghttp2_nv_flag = NGHTTP2_NV_FLAG_NONE
    ) {
        if first + count == capacity { grow() }
        put(first + count, name, value, flags)
        count += 1
    }

    @inline(__always) private func put(
        _ index: Int, _ name: ByteView, _ value: ByteView, _ flags: nghttp2_nv_flag = NGHTTP2_NV_FLAG_NONE
    ) {
        // The library reads these; the type has no `const` because it lends its own with the same.
        (base + index).initialize(
            to: nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.base), value: UnsafeMutablePointer(mutating: value.base),
                namelen: name.count, valuelen: value.count, flags: UInt8(truncatingIfNeeded: flags.rawValue | copying)))
    }

    // MARK: heads

    /// A response: its status, 0 when the text is none. 101 becomes 200 (RFC 8441, section 5).
    /// - Parameter stays: the text is not touched before the head is sent.
    mutating func readResponse(_ text: ByteView, at start: UnsafeMutablePointer<UInt8>, stays: Bool) -> UInt16 {
        begin(at: 0, stays: stays)
        // `HTTP/1.1 200 OK`
        guard text.count >= 12, let lineEnd = text.firstIndex(of: ASCII.lf) else { return 0 }
        let digits = text[9..<12]
        guard let status = digits.decimal, status >= 100 else { return 0 }
        append(ByteView(":status"), status == 101 ? ByteView("200") : digits)
        _ = readLines(text, at: start, from: lineEnd + 1)
        if status == 101 { dropHandshake() }
        return UInt16(status)
    }

    struct RequestLine {
        var method: Method
        /// It asks for an upgrade to WebSocket, and the list says extended CONNECT (RFC 8441, section 4).
        var isWebSocket: Bool
    }

    /// A request; nil when the text is none. The text is not touched before the head is sent.
    /// - Parameter keepsNames: HPACK's table takes `x-request-id` and the like with this request's values, so that those
    ///   behind it need not spell their names.
    mutating func readRequest(
        _ text: ByteView, at start: UnsafeMutablePointer<UInt8>, scheme: Scheme, keepsNames: Bool
    ) -> RequestLine? {
        guard let lineEnd = text.firstIndex(of: ASCII.lf), let methodEnd = text.firstIndex(of: ASCII.space),
            methodEnd < lineEnd, let targetEnd = text.firstIndex(of: ASCII.space, from: methodEnd + 1),
            targetEnd < lineEnd
        else { return nil }
        let target = text[(methodEnd + 1)..<targetEnd]
        let method = Method(text.upTo(methodEnd))
        // The pseudo-header fields come first, but what they are is known last: their places are kept free.
        begin(at: Self.mostPseudo, stays: true, keepsNames: keepsNames)
        let lines = readLines(text, at: start, from: lineEnd + 1)
        if lines.upgrades { dropHandshake() }
        if method == .connect {
            prepend(":authority", target)
        } else {
            // Only a request of HTTP/1.0 has no Host; then there is no `:authority` either.
            if let host = lines.host { prepend(":authority", host) }
            prepend(":path", target)
            prepend(":scheme", ByteView(scheme.text))
        }
        if lines.upgrades { prepend(":protocol", ByteView("websocket")) }
        prepend(":method", lines.upgrades ? ByteView("CONNECT") : text.upTo(methodEnd))
        return RequestLine(method: method, isWebSocket: lines.upgrades)
    }

    private mutating func prepend(_ name: StaticString, _ value: ByteView) {
        precondition(first > 0)
        first -= 1
        put(first, ByteView(name), value)
        count += 1
    }

    /// The key and its answer prove that both ends mean WebSocket; in HTTP/2 `:protocol` does (RFC 8441, section 5).
    private mutating func dropHandshake() {
        var kept = 0
        for index in 0..<count {
            let name = ByteView(list[index].name, count: list[index].namelen)
            if name.equals("sec-websocket-key") || name.equals("sec-websocket-accept") { continue }
            list[kept] = list[index]
            kept += 1
        }
        count = kept
    }

    mutating func readTrailers(_ text: ByteView, at start: UnsafeMutablePointer<UInt8>) {
        begin(at: 0, stays: false)
        _ = readLines(text, at: start, from: 0)
    }

    // MARK: lines

    private struct Lines {
        var host: ByteView?
        var upgrades = false
    }

    /// Up to the empty line or the text's end. Names become lower case where they lie; fields that belong to an HTTP/1.1
    /// connection stay behind (RFC 9113, section 8.2.2), and so does Host.
    private mutating func readLines(
        _ text: ByteView, at start: UnsafeMutablePointer<UInt8>, from begin: Int
    ) -> Lines {
        var lines = Lines()
        var at = begin
        let count = text.count
        precondition(begin <= count)
        while at < count {
            // The empty line, as a rule.
            if start[at] == ASCII.cr { break }
            let colon = OctetWords.lower(start, at, count)
            guard colon < count, colon > at else { break }
            let name = ByteView(start + at, count: colon - at)
            var low = colon + 1
            if low < count, start[low] == ASCII.space { low += 1 }
            let high = OctetScan.endOfValue(UnsafePointer(start), low, count)
            let value: ByteView
            if high + 1 < count, start[high] == ASCII.cr, start[high + 1] == ASCII.lf,
                low == high || !ASCII.isBlank(start[low]) && !ASCII.isBlank(start[high - 1])
            {
                value = ByteView(start + low, count: high - low)
                at = high + 2
            } else {
                let stop = text.firstIndex(of: ASCII.lf, from: low) ?? count
                let end = stop > low && text[stop - 1] == ASCII.cr ? stop - 1 : stop
                value = text[low..<end].trimmed
                at = stop + 1
            }
            // Values that differ from message to message would push everything else out of HPACK's table, and the encoder
            // compares each new one with all of them; what is secret must not be in a table that others share (RFC 7541,
            // section 7.1).
            switch FieldName.lookup(name.base.unsafelyUnwrapped, name.count) {
            case .xRequestId, .traceparent, .xForwardedFor:
                append(name, value, flags: namesAreKept ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX)
            case .authorization, .proxyAuthorization, .cookie:
                append(name, value, flags: NGHTTP2_NV_FLAG_NO_INDEX)
            case .host: lines.host = lines.host ?? value
            case .upgrade: if value.equalsIgnoringCase("websocket") { lines.upgrades = true }
            case .connection, .keepAlive, .proxyConnection, .transferEncoding, .http2Settings: break
            case .te: if value.equalsIgnoringCase("trailers") { append(name, ByteView("trailers")) }
            default: append(name, value)
            }
        }
        return lines
    }
}
