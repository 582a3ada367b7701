import Core
import HTTP

/// What is spoken on a connection, told by the octets that come first. Pure: the same octets in other pieces tell the same.
enum SniffedProtocol: Equatable {
    /// A request line of HTTP/1, or the preface of HTTP/2, which begins like one (RFC 9113, section 3.4).
    case http
    /// A handshake record (RFC 8446, section 5.1).
    case tls
    case octets
    /// More octets are needed.
    case unknown

    /// Octets that are looked at: a request line that is longer is none (``HeadLimits/requestLine``).
    static let longest = HeadLimits.request.requestLine

    init(_ octets: ByteView) {
        if octets.isEmpty {
            self = .unknown
        } else if octets[0] == 22 {
            self = Self.tls(octets)
        } else if let end = octets.firstIndex(of: ASCII.lf) {
            self = Self.isRequestLine(octets.upTo(end)) ? .http : .octets
        } else {
            self = octets.count < Self.longest && Self.mayBeRequestLine(octets) ? .unknown : .octets
        }
    }

    /// A record of type handshake, version 3.x, whose first message is a ClientHello (type 1).
    private static func tls(_ octets: ByteView) -> SniffedProtocol {
        if octets.count > 1, octets[1] != 3 { return .octets }
        if octets.count > 2, octets[2] > 4 { return .octets }
        guard octets.count > 5 else { return .unknown }
        return octets[5] == 1 ? .tls : .octets
    }

    /// `METHOD SP TARGET SP HTTP/n.n` and perhaps CR; what it says in detail is the parser's to judge.
    private static func isRequestLine(_ line: ByteView) -> Bool {
        var line = line
        if !line.isEmpty, line[line.count - 1] == ASCII.cr { line = line.upTo(line.count - 1) }
        let version = ByteView(" HTTP/")
        guard line.count > version.count + 3, mayBeRequestLine(line) else { return false }
        let tail = line.from(line.count - version.count - 3)
        return tail.upTo(version.count).equals(version) && ASCII.isDigit(tail[version.count])
            && tail[version.count + 1] == ASCII.dot && ASCII.isDigit(tail[version.count + 2])
    }

    /// Whether a request line may still come of it: a token, a space, visible octets and spaces.
    private static func mayBeRequestLine(_ octets: ByteView) -> Bool {
        var at = 0
        while at < octets.count, isOfMethod(octets[at]) { at += 1 }
        if at == octets.count { return at <= longestMethod }
        guard at > 0, at <= longestMethod, octets[at] == ASCII.space else { return false }
        for index in at..<octets.count where octets[index] < 0x20 || octets[index] == 0x7F {
            // The CR before an LF that is still to come.
            guard octets[index] == ASCII.cr, index == octets.count - 1 else { return false }
        }
        return true
    }

    /// As methods are made in practice; other token characters begin other protocols.
    private static func isOfMethod(_ byte: UInt8) -> Bool {
        ASCII.isAlpha(byte) || byte == UInt8(ascii: "-") || byte == ASCII.underscore
    }

    /// Octets of a method; the longest that are registered have 17 (RFC 9110, section 16.1.1's registry).
    private static let longestMethod = 24
}
