import Config
import Core
import HTTP

/// Whose request it is, as a ClientTrafficPolicy's `clientIPDetection` says: by the fields that trusted proxies write.
public enum ClientAddress {
    public enum Outcome: Equatable, Sendable {
        /// The peer of the connection: nothing better is known.
        case peer
        case detected(IPAddress)
        /// The policy asks for a field that says so, and there is none that can be read.
        case unknown
    }

    /// - Parameters:
    ///   - peer: of the connection, or whom its PROXY header names.
    ///   - fields: the request's; `bytes` what they count from.
    public static func detect(
        _ config: ClientIPConfig, in snapshot: Snapshot, peer: IPAddress, fields: borrowing FieldTable,
        _ bytes: ByteView
    ) -> Outcome {
        switch config.method {
        case .directSourceIP: return .peer
        case .trustedHops:
            var chain = ForwardedChain(fields, bytes)
            var left = config.numTrustedHops
            while let entry = chain.next(fields, bytes) {
                left -= 1
                if left == 0 { return address(entry).map { .detected($0) } ?? .peer }
            }
            return .peer
        case .trustedCIDRs:
            guard isTrusted(peer, config, snapshot) else { return .peer }
            var chain = ForwardedChain(fields, bytes)
            var last: IPAddress?
            while let entry = chain.next(fields, bytes), let address = address(entry) {
                last = address
                if !isTrusted(address, config, snapshot) { break }
            }
            return last.map { .detected($0) } ?? .peer
        case .customHeader:
            guard let index = fields.firstIndex(named: snapshot.text(config.headerName), in: bytes),
                let address = address(fields[index].value(in: bytes))
            else {
                return .unknown
            }
            return .detected(address)
        }
    }

    private static func isTrusted(_ address: IPAddress, _ config: ClientIPConfig, _ snapshot: Snapshot) -> Bool {
        for i in 0..<Int(config.trustedCIDRs.count)
        where snapshot[config.trustedCIDRs, i].pointee.contains(address) { return true }
        return false
    }

    /// An address; some proxies write its port too, and IPv6 in brackets then.
    static func address(_ text: ByteView) -> IPAddress? {
        if text.count > 1, text[0] == 0x5B {
            guard let close = text.firstIndex(of: 0x5D), close + 1 == text.count || isPort(text.from(close + 1)) else {
                return nil
            }
            return IPAddress(text[1..<close])
        }
        if let colon = text.firstIndex(of: ASCII.colon), text.firstIndex(of: ASCII.dot) != nil,
            text.lastIndex(of: ASCII.colon) == colon
        {
            return isPort(text.from(colon)) ? IPAddress(text.upTo(colon)) : nil
        }
        return IPAddress(text)
    }

    private static func isPort(_ text: ByteView) -> Bool {
        guard text.count > 1, text[0] == ASCII.colon, let port = text.from(1).decimal else { return false }
        return port <= 65535
    }
}

/// The entries of `X-Forwarded-For` from the nearest proxy's to the farthest's: all of its lines are one list (RFC 9110,
/// section 5.3). Empty entries are passed over.
private struct ForwardedChain {
    /// Lines that are not begun yet.
    private var lines: Int
    /// Octets of the line at hand that are not read yet; below zero: it is done.
    private var end = -1
    private var line = 0

    init(_ fields: borrowing FieldTable, _ bytes: ByteView) { lines = fields.count }

    mutating func next(_ fields: borrowing FieldTable, _ bytes: ByteView) -> ByteView? {
        while true {
            if end < 0 {
                repeat {
                    guard lines > 0 else { return nil }
                    lines -= 1
                } while fields[lines].name != .xForwardedFor
                line = lines
                end = Int(fields[line].valueLength)
            }
            let rest = fields[line].value(in: bytes).upTo(end)
            let comma = rest.lastIndex(of: ASCII.comma)
            let entry = rest.from(comma.map { $0 + 1 } ?? 0).trimmed
            end = comma ?? -1
            if !entry.isEmpty { return entry }
        }
    }
}
