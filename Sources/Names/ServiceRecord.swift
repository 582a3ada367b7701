import Core

/// One place where a service is served (SRV, RFC 2782).
public struct ServiceRecord: Equatable, Sendable {
    /// The class IN and the type SRV (RFC 1035, section 3.2.4; RFC 2782).
    static let dnsClass: UInt16 = 1
    static let dnsType: UInt16 = 33
    /// Records of one answer that are read.
    static let limit = 64

    /// Lower comes first.
    public var priority: UInt16
    public var weight: UInt16
    public var port: UInt16
    public var target: String

    public init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }

    /// The records of a DNS message (RFC 1035, section 4), with the shortest time to live among them. Nil: it is malformed.
    static func read(_ message: ByteView) -> (records: [ServiceRecord], life: TimeAmount)? {
        guard message.count >= 12 else { return nil }
        var at = 12
        for _ in 0..<Int(number(message, 4)) {
            guard let end = skipName(message, at), end + 4 <= message.count else { return nil }
            at = end + 4
        }
        var records: [ServiceRecord] = []
        var life = UInt32.max
        for _ in 0..<Int(number(message, 6)) {
            guard let head = skipName(message, at), head + 10 <= message.count else { return nil }
            let type = number(message, head)
            let ttl = UInt32(number(message, head + 4)) << 16 | UInt32(number(message, head + 6))
            let content = head + 10
            at = content + Int(number(message, head + 8))
            guard at <= message.count else { return nil }
            guard type == dnsType, at - content >= 7, records.count < limit else { continue }
            guard let target = name(message, content + 6) else { return nil }
            // "." says that the service is decidedly not available there (RFC 2782, "Target").
            if target.isEmpty { continue }
            life = min(life, ttl)
            records.append(
                ServiceRecord(
                    priority: number(message, content), weight: number(message, content + 2),
                    port: number(message, content + 4), target: target))
        }
        return (records, .seconds(Int64(min(life, UInt32(Int32.max)))))
    }

    private static func number(_ message: ByteView, _ at: Int) -> UInt16 {
        UInt16(message[at]) << 8 | UInt16(message[at + 1])
    }

    /// Where the name at `at` ends, without following where it points to.
    private static func skipName(_ message: ByteView, _ at: Int) -> Int? {
        var at = at
        while at < message.count {
            let length = message[at]
            if length >= 0xC0 { return at + 2 <= message.count ? at + 2 : nil }
            at += 1 + Int(length)
            if length == 0 { return at }
        }
        return nil
    }

    /// The name at `at`, which may point to its rest further up (RFC 1035, section 4.1.4).
    private static func name(_ message: ByteView, _ start: Int) -> String? {
        var at = start
        var octets: [UInt8] = []
        var jumps = 0
        while at < message.count {
            let length = Int(message[at])
            if length == 0 { return String(decoding: octets, as: UTF8.self) }
            if length >= 0xC0 {
                guard at + 1 < message.count, jumps < 16 else { return nil }
                jumps += 1
                at = (length & 0x3F) << 8 | Int(message[at + 1])
                continue
            }
            guard length < 64, at + 1 + length <= message.count, octets.count + length < 254 else { return nil }
            if !octets.isEmpty { octets.append(ASCII.dot) }
            for i in (at + 1)...(at + length) { octets.append(message[i]) }
            at += 1 + length
        }
        return nil
    }
}
