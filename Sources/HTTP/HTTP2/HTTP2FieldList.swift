import CNghttp2
import Core

/// Turns heads written as text into the list of fields that HPACK takes (RFC 9113, sections 8.2 and 8.3). One for all
/// sessions of a worker; its memory is kept. The list points into the text and is good until either changes.
struct HTTP2FieldList: ~Copyable {
    private(set) var base: UnsafeMutablePointer<nghttp2_nv>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 64
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    private mutating func append(_ name: ByteView, _ value: ByteView) {
        if count == capacity {
            let larger = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: capacity * 2)
            larger.update(from: base, count: count)
            base.deallocate()
            base = larger
            capacity *= 2
        }
        // The library reads these; the type has no `const` because it lends its own with the same.
        (base + count).initialize(
            to: nghttp2_nv(
                name: UnsafeMutablePointer(mutating: name.base), value: UnsafeMutablePointer(mutating: value.base),
                namelen: name.count, valuelen: value.count, flags: 0))
        count += 1
    }

    // MARK: heads

    /// A response: its status, 0 when the text is none. 101 becomes 200 (RFC 8441, section 5).
    mutating func readResponse(_ text: ByteView, at start: UnsafeMutablePointer<UInt8>) -> UInt16 {
        count = 0
        // `HTTP/1.1 200 OK`
        guard text.count >= 12, let lineEnd = text.firstIndex(of: ASCII.lf) else { return 0 }
        let digits = text[9..<12]
        guard let status = digits.decimal, status >= 100 else { return 0 }
        append(ByteView(":status"), status == 101 ? ByteView("200") : digits)
        readLines(text, at: start, from: lineEnd + 1, isUpgrade: status == 101)
        return UInt16(status)
    }

    /// A request; false when the text is none.
    /// - Parameter isWebSocket: it asks for an upgrade, which becomes an extended CONNECT.
    mutating func readRequest(
        _ text: ByteView, at start: UnsafeMutablePointer<UInt8>, scheme: Scheme, isWebSocket: Bool
    ) -> (method: Method, path: ByteView)? {
        count = 0
        guard let lineEnd = text.firstIndex(of: ASCII.lf), let methodEnd = text.firstIndex(of: ASCII.space),
            methodEnd < lineEnd, let targetEnd = text.firstIndex(of: ASCII.space, from: methodEnd + 1),
            targetEnd < lineEnd
        else { return nil }
        let name = text.upTo(methodEnd)
        let target = text[(methodEnd + 1)..<targetEnd]
        let method = Method(name)
        append(ByteView(":method"), isWebSocket ? ByteView("CONNECT") : name)
        if method != .connect {
            append(ByteView(":scheme"), ByteView(scheme.text))
            append(ByteView(":path"), target)
        }
        if isWebSocket { append(ByteView(":protocol"), ByteView("websocket")) }
        let authority = count
        append(ByteView(":authority"), method == .connect ? target : .empty)
        let host = readLines(text, at: start, from: lineEnd + 1, isUpgrade: isWebSocket)
        if method != .connect {
            if let host {
                base[authority].value = UnsafeMutablePointer(mutating: host.base)
                base[authority].valuelen = host.count
            } else {
                // Only a request of HTTP/1.0 has no Host; then there is no `:authority` either.
                for index in authority..<(count - 1) { base[index] = base[index + 1] }
                count -= 1
            }
        }
        return (method, target)
    }

    mutating func readTrailers(_ text: ByteView, at start: UnsafeMutablePointer<UInt8>) {
        count = 0
        readLines(text, at: start, from: 0, isUpgrade: false)
    }

    // MARK: lines

    /// Up to the empty line or the text's end. Names become lower case where they lie; fields that belong to an HTTP/1.1
    /// connection stay behind (RFC 9113, section 8.2.2). Host is not added but returned.
    @discardableResult private mutating func readLines(
        _ text: ByteView, at start: UnsafeMutablePointer<UInt8>, from first: Int, isUpgrade: Bool
    ) -> ByteView? {
        var host: ByteView?
        var at = first
        while at < text.count {
            let stop = text.firstIndex(of: ASCII.lf, from: at) ?? text.count
            guard let colon = text.firstIndex(of: ASCII.colon, from: at), colon < stop, colon > at else { break }
            for index in at..<colon { start[index] = ASCII.lower(start[index]) }
            let name = text[at..<colon]
            let end = stop > colon + 1 && text[stop - 1] == ASCII.cr ? stop - 1 : stop
            let value = text[(colon + 1)..<end].trimmed
            at = stop + 1
            switch FieldName(name) {
            case .host: host = host ?? value
            case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings: break
            case .te: if value.equalsIgnoringCase("trailers") { append(name, ByteView("trailers")) }
            // The key and its answer prove that both ends meant WebSocket; in HTTP/2 `:protocol` does (RFC 8441, section 5).
            case .secWebSocketKey where isUpgrade: break
            case .other where isUpgrade && name.equals("sec-websocket-accept"): break
            default: append(name, value)
            }
        }
        return host
    }
}
