import Core

/// What the first message of a TLS connection asks for, read without answering it: the name (RFC 6066, section 3) and
/// the application protocols (RFC 7301). Needed before there is a session (which certificate, which settings) and where
/// there never is one (passthrough).
///
/// Our own strict reading of RFC 8446, section 4.1.2, and RFC 5246, section 7.4.1.2; the library reads the same octets
/// again when it takes over, so nothing here has to be complete, only right.
public struct ClientHello: Equatable, Sendable {
    /// The name asked for: lower case, letters, digits, `-`, `_` and dots in labels of 1–63 octets, no dot at its end.
    public var serverName: [UInt8]?
    /// The protocols offered, as on the wire: each an octet of length and its name. Empty: none were offered.
    public var protocolList: [UInt8] = []

    /// How far reading came.
    public enum Peek: Equatable, Sendable {
        /// Not whole yet: it cannot be before there are `atLeast` octets in all.
        case needMore(atLeast: Int)
        /// The first octets are no TLS handshake record.
        case notTLS
        /// It breaks the rules; the reason is for logs.
        case malformed(String)
        case hello(ClientHello)
    }

    public init() {}

    /// The offered protocols, in the client's order of preference.
    public var protocols: [String] {
        var result: [String] = []
        var at = 0
        while at < protocolList.count {
            let end = at + 1 + Int(protocolList[at])
            result.append(String(decoding: protocolList[(at + 1)..<end], as: UTF8.self))
            at = end
        }
        return result
    }

    public func offers(_ name: StaticString) -> Bool {
        protocolList.withView { list in
            var at = 0
            while at < list.count {
                let end = at + 1 + Int(list[at])
                if list[(at + 1)..<end].equals(name) { return true }
                at = end
            }
            return false
        }
    }

    // MARK: records

    private static let recordHeader = 5
    private static let handshakeHeader = 4

    /// Reads from the first octet of a connection on.
    ///
    /// A ClientHello may be cut into many records; what it takes to look at it again and again as octets trickle in stays
    /// small when the caller waits for as many as ``Peek/needMore(atLeast:)`` says.
    public static func peek(_ octets: ByteView) -> Peek {
        var at = 0
        var assembled = 0
        var message = Header()
        while true {
            guard octets.count - at >= recordHeader else {
                // What is there of the first header already tells other protocols.
                if at == 0, octets.count > 0, octets[0] != 22 { return .notTLS }
                if at == 0, octets.count > 1, octets[1] != 3 { return .notTLS }
                return .needMore(atLeast: at + recordHeader)
            }
            let length = Int(octets[at + 3]) << 8 | Int(octets[at + 4])
            guard octets[at] == 22, octets[at + 1] == 3, octets[at + 2] <= 4, 1...TLSLimits.record ~= length else {
                return at == 0 ? .notTLS : .malformed("something else comes in the middle of the ClientHello")
            }
            let body = at + recordHeader
            let present = min(length, octets.count - body)
            message.add(octets[body..<(body + present)])
            if let type = message.type, type != 1 { return .malformed("the first message is no ClientHello") }
            if let whole = message.length {
                guard whole <= TLSLimits.clientHello - handshakeHeader else {
                    return .malformed("the ClientHello is larger than \(TLSLimits.clientHello) octets")
                }
                guard assembled + length <= handshakeHeader + whole else {
                    return .malformed("octets follow the ClientHello in its record")
                }
            }
            guard present == length else { return .needMore(atLeast: body + length) }
            assembled += length
            at = body + length
            if let whole = message.length, assembled == handshakeHeader + whole { break }
            guard at <= TLSLimits.clientHello + TLSLimits.clientHelloRecords else {
                return .malformed("the ClientHello comes in too many records")
            }
        }
        if at == recordHeader + assembled {
            return read(octets[(recordHeader + handshakeHeader)..<at])
        }
        return joined(octets[0..<at], count: assembled).withView { read($0.from(handshakeHeader)) }
    }

    /// The handshake header: four octets that may lie in several records.
    private struct Header {
        private var octets: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
        private var count = 0

        mutating func add(_ fragment: ByteView) {
            var index = 0
            while count < 4, index < fragment.count {
                switch count {
                case 0: octets.0 = fragment[index]
                case 1: octets.1 = fragment[index]
                case 2: octets.2 = fragment[index]
                default: octets.3 = fragment[index]
                }
                count += 1
                index += 1
            }
        }

        var type: UInt8? { count > 0 ? octets.0 : nil }
        var length: Int? { count == 4 ? Int(octets.1) << 16 | Int(octets.2) << 8 | Int(octets.3) : nil }
    }

    private static func joined(_ records: ByteView, count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count)
        var at = 0
        while at < records.count {
            let end = at + recordHeader + (Int(records[at + 3]) << 8 | Int(records[at + 4]))
            for index in (at + recordHeader)..<end { result.append(records[index]) }
            at = end
        }
        return result
    }

    // MARK: the message

    private static func read(_ body: ByteView) -> Peek {
        var rest = Cursor(body)
        guard rest.skip(2 + 32) else { return .malformed("the ClientHello ends early") }
        guard let session = rest.vector(lengthOctets: 1), session.count <= 32 else {
            return .malformed("the session identifier is no such")
        }
        guard let suites = rest.vector(lengthOctets: 2), suites.count >= 2, suites.count % 2 == 0 else {
            return .malformed("the cipher suites are no such list")
        }
        guard let compressions = rest.vector(lengthOctets: 1), !compressions.isEmpty else {
            return .malformed("the compression methods are no such list")
        }
        var hello = ClientHello()
        // Before TLS 1.3 a client could leave the extensions out (RFC 5246, section 7.4.1.2).
        if rest.isAtEnd { return .hello(hello) }
        guard let list = rest.vector(lengthOctets: 2), rest.isAtEnd else {
            return .malformed("the extensions are no such list")
        }
        var extensions = Cursor(list)
        var (sawName, sawProtocols) = (false, false)
        while !extensions.isAtEnd {
            guard let kind = extensions.number(octets: 2), let content = extensions.vector(lengthOctets: 2) else {
                return .malformed("an extension ends early")
            }
            switch kind {
            case 0:
                guard !sawName else { return .malformed("server_name comes twice") }
                sawName = true
                guard let name = serverName(content) else { return .malformed("the server name is no host name") }
                hello.serverName = name
            case 16:
                guard !sawProtocols else { return .malformed("application_layer_protocol_negotiation comes twice") }
                sawProtocols = true
                guard let protocols = protocolNames(content) else {
                    return .malformed("the application protocols are no such list")
                }
                hello.protocolList = protocols
            default: break
            }
        }
        return .hello(hello)
    }

    /// RFC 6066, section 3. The list never had more than one entry, and of one type only, in any implementation.
    private static func serverName(_ content: ByteView) -> [UInt8]? {
        var outer = Cursor(content)
        guard let list = outer.vector(lengthOctets: 2), outer.isAtEnd else { return nil }
        var entries = Cursor(list)
        guard entries.number(octets: 1) == 0, var name = entries.vector(lengthOctets: 2), entries.isAtEnd else {
            return nil
        }
        // The RFC wants the name without the root's dot; some clients send it, and it names the same host.
        if name.count > 1, name[name.count - 1] == ASCII.dot { name = name.upTo(name.count - 1) }
        guard 1...253 ~= name.count else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(name.count)
        var label = 0
        for index in name.indices {
            let octet = ASCII.lower(name[index])
            if octet == ASCII.dot {
                guard label > 0 else { return nil }
                label = 0
            } else {
                guard ASCII.isAlpha(octet) || ASCII.isDigit(octet) || octet == 0x2D || octet == 0x5F else { return nil }
                label += 1
                guard label <= 63 else { return nil }
            }
            result.append(octet)
        }
        return label > 0 ? result : nil
    }

    /// RFC 7301, section 3.1.
    private static func protocolNames(_ content: ByteView) -> [UInt8]? {
        var outer = Cursor(content)
        guard let list = outer.vector(lengthOctets: 2), outer.isAtEnd, !list.isEmpty else { return nil }
        var names = Cursor(list)
        while !names.isAtEnd {
            guard let name = names.vector(lengthOctets: 1), !name.isEmpty else { return nil }
        }
        return list.array
    }
}

/// Reads numbers and vectors of RFC 8446, section 3, from the front of some octets; nil when they end early.
private struct Cursor {
    private var rest: ByteView

    init(_ view: ByteView) { rest = view }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ count: Int) -> Bool {
        guard rest.count >= count else { return false }
        rest = rest.from(count)
        return true
    }

    mutating func number(octets count: Int) -> Int? {
        guard rest.count >= count else { return nil }
        var value = 0
        for index in 0..<count { value = value << 8 | Int(rest[index]) }
        rest = rest.from(count)
        return value
    }

    mutating func vector(lengthOctets: Int) -> ByteView? {
        guard let count = number(octets: lengthOctets), rest.count >= count else { return nil }
        defer { rest = rest.from(count) }
        return rest.upTo(count)
    }
}
