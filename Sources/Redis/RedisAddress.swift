import Core

/// A Redis server as it is named on the command line: `HOST:PORT`, or `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`.
public struct RedisAddress: Equatable, Sendable, CustomStringConvertible {
    public static let standardPort: UInt16 = 6379

    /// A name or an address, without brackets.
    public var host: String
    public var port: UInt16 = RedisAddress.standardPort
    /// Empty: Redis' default user.
    public var user = ""
    /// Empty: none is sent.
    public var password = ""
    public var database: UInt16 = 0

    public init(host: String, port: UInt16 = RedisAddress.standardPort) {
        self.host = host
        self.port = port
    }

    /// Why a text names no server.
    public enum Problem: Error, Equatable {
        case isTLS
        case scheme(String)
        case host
        case port(String)
        case database(String)

        public var text: String {
            switch self {
            case .isTLS: "rediss (TLS) is not supported; write redis://, over a network that is trusted"
            case .scheme(let scheme): "'\(scheme)' is no scheme of Redis; write HOST:PORT or redis://HOST:PORT"
            case .host: "there is no host; write HOST:PORT or redis://HOST:PORT"
            case .port(let port): "'\(port)' is no port from 1 to 65535"
            case .database(let database): "'\(database)' is no number of a database, such as /0"
            }
        }
    }

    public init(_ text: String) throws(Problem) {
        var rest = Substring(text)
        if let scheme = Self.split(&rest, before: "://") {
            if scheme == "rediss" { throw .isTLS }
            if scheme != "redis" { throw .scheme(String(scheme)) }
            if let slash = rest.firstIndex(of: "/") {
                let number = rest[rest.index(after: slash)...]
                rest = rest[..<slash]
                guard number.isEmpty || UInt16(number) != nil else { throw .database(String(number)) }
                database = UInt16(number) ?? 0
            }
            if let at = rest.lastIndex(of: "@") {
                let secret = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                rest = rest[rest.index(after: at)...]
                user = secret.count == 2 ? Self.decoded(secret[0]) : ""
                password = Self.decoded(secret[secret.count - 1])
            }
        }
        host = ""
        var portText: Substring?
        if rest.first == "[", let end = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let behind = rest[rest.index(after: end)...]
            if behind.first == ":" { portText = behind.dropFirst() } else if !behind.isEmpty { throw .host }
        } else if let colon = rest.lastIndex(of: ":") {
            host = String(rest[..<colon])
            portText = rest[rest.index(after: colon)...]
        } else {
            host = String(rest)
        }
        guard !host.isEmpty, !host.contains("/"), !host.contains(" ") else { throw .host }
        guard let portText else { return }
        guard let port = UInt16(portText), port > 0 else { throw .port(String(portText)) }
        self.port = port
    }

    /// Takes what stands before a separator, and the separator.
    private static func split(_ text: inout Substring, before separator: String) -> Substring? {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(separator) {
                let head = text[..<at]
                text = text[at...].dropFirst(separator.count)
                return head
            }
            at = text.index(after: at)
        }
        return nil
    }

    /// Percent-encoding undone; an escape that is none stands for itself.
    private static func decoded(_ text: Substring) -> String {
        let octets = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < octets.count {
            if octets[at] == ASCII.percent, at + 2 < octets.count, let high = ASCII.hexValue(octets[at + 1]),
                let low = ASCII.hexValue(octets[at + 2])
            {
                out.append(high << 4 | low)
                at += 3
            } else {
                out.append(octets[at])
                at += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Without user and password.
    public var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)" }
}
