import Core

/// What the fields of one head say together about its body and its connection: gathered line by line, judged when the
/// head is complete. The same for both directions; the parsers take from it what concerns them.
struct HeadMeaning: BitwiseCopyable {
    var contentLength: UInt64?
    /// Content-Length came as a list, twice, or with leading zeros.
    var lengthIsOdd = false
    var isChunked = false
    var closes = false
    var keepsAlive = false
    var connectionUpgrades = false
    var connectionNamesFields = false
    var upgradeLines = 0
    var upgradeIsWebSocket = false
    var acceptsTrailers = false
    var expectsContinue = false
    var hasHost = false

    /// Whether ``note`` has something to say about this field.
    @inline(__always) static func isMeant(_ name: FieldName) -> Bool {
        // The fields that ``note`` reads stand first in the enumeration: one comparison instead of ten.
        name.rawValue &- FieldName.host.rawValue <= FieldName.expect.rawValue &- FieldName.host.rawValue
    }

    /// Takes one field line into account. `Host` is the request parser's own.
    mutating func note(_ name: FieldName, _ value: ByteView, minorVersion: UInt8) -> HeadRefusal? {
        switch name {
        case .contentLength: return noteLength(value)
        case .transferEncoding: return noteCoding(value, minorVersion: minorVersion)
        case .connection: noteConnection(value)
        case .upgrade: noteUpgrade(value)
        case .te: noteTE(value)
        case .expect: return noteExpectation(value)
        default: break
        }
        return nil
    }

    private mutating func noteLength(_ value: ByteView) -> HeadRefusal? {
        // As everybody writes it. Eighteen digits are below 2⁶³.
        if contentLength == nil, !isChunked, value.count <= 18, value.count == 1 || !value.isEmpty && value[0] != 0x30,
            let length = value.decimal
        {
            contentLength = length
            return nil
        }
        do throws(ContentLengthError) {
            let length = try parseContentLength(value)
            if let contentLength, contentLength != length { return .conflictingContentLength }
            // RFC 9112, section 6.1 lets a server take Transfer-Encoding and ignore the length; that is what request
            // smuggling lives on.
            if isChunked { return .lengthAndTransferEncoding }
            contentLength = length
            lengthIsOdd = true
            return nil
        } catch {
            return error == .conflicting ? .conflictingContentLength : .illegalContentLength
        }
    }

    /// RFC 9112, section 6.1. Exactly one `chunked`, nothing else: no other coding is implemented, and an empty element
    /// or a parameter is how parsers were led to disagree.
    private mutating func noteCoding(_ value: ByteView, minorVersion: UInt8) -> HeadRefusal? {
        if minorVersion == 0 { return .transferEncodingInHTTP10 }
        if contentLength != nil { return .lengthAndTransferEncoding }
        if !isChunked, OctetWords.same(value, "chunked") {
            isChunked = true
            return nil
        }
        var elements = ListElements(value)
        var sawChunked = isChunked
        while let element = elements.next() {
            guard let base = element.base, element.count > 0,
                OctetScan.endOfToken(base, 0, element.count) == element.count
            else { return .malformedTransferEncoding }
            let isThisChunked = OctetWords.same(element, "chunked")
            if sawChunked { return isThisChunked ? .repeatedChunked : .chunkedNotLast }
            sawChunked = isThisChunked
        }
        return .unknownTransferCoding
    }

    private mutating func noteConnection(_ value: ByteView) {
        if OctetWords.same(value, "keep-alive") {
            keepsAlive = true
            return
        }
        var elements = ListElements(value)
        while let option = elements.next() {
            if option.isEmpty { continue }
            if OctetWords.same(option, "close") {
                closes = true
            } else if OctetWords.same(option, "keep-alive") {
                keepsAlive = true
            } else if OctetWords.same(option, "upgrade") {
                connectionUpgrades = true
            } else if !HopByHop.isNeverForwarded(FieldName(option)) {
                connectionNamesFields = true
            }
        }
    }

    private mutating func noteUpgrade(_ value: ByteView) {
        upgradeLines += 1
        upgradeIsWebSocket = OctetWords.same(value, "websocket")
    }

    private mutating func noteTE(_ value: ByteView) {
        var elements = ListElements(value)
        while let element = elements.next() {
            if OctetWords.same(element, "trailers") { acceptsTrailers = true }
        }
    }

    private mutating func noteExpectation(_ value: ByteView) -> HeadRefusal? {
        guard OctetWords.same(value, "100-continue") else { return .unknownExpectation }
        expectsContinue = true
        return nil
    }

    /// RFC 9112, section 9.3.
    func persistence(minorVersion: UInt8) -> Persistence {
        if closes { return .close }
        return minorVersion >= 1 || keepsAlive ? .keepAlive : .close
    }

    /// `Connection: upgrade` with `Upgrade: websocket` and no second protocol to choose from.
    var upgradesToWebSocket: Bool { connectionUpgrades && upgradeLines == 1 && upgradeIsWebSocket }

    /// The body as the fields alone describe it; nil when they say nothing.
    var declaredBody: BodyFraming? {
        if isChunked { return .chunked }
        return contentLength.map { .length(octets: $0) }
    }
}
