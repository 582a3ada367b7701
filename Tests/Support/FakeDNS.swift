import Core
import Glibc
import IO
import Synchronization

/// A DNS server of a test: answers A and SRV questions from tables, over UDP on loopback, on a thread of its own.
public final class FakeDNS: Sendable {
    public struct Entry: Sendable {
        public var addresses: [IPAddress]
        /// Time to live, in seconds.
        public var life: UInt32

        public init(addresses: [IPAddress], life: UInt32) {
            self.addresses = addresses
            self.life = life
        }
    }

    /// An SRV record (RFC 2782).
    public struct Service: Sendable {
        public var port: UInt16
        public var target: String

        public init(port: UInt16, target: String) {
            self.port = port
            self.target = target
        }
    }

    public let port: UInt16
    private let fd: CInt
    private let table = Mutex<[String: Entry]>([:])
    private let services = Mutex<[String: [Service]]>([:])
    private let asked = Mutex<Int>(0)

    public init() throws {
        let raw = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        fd = raw
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) }
        }
        guard bound == 0, let local = Socket.localAddress(fd) else { throw Errno(errno) }
        port = local.port
        let server = self
        Threads.start { server.serve() }
    }

    deinit { close(fd) }

    /// Nil: the name is answered with a failure.
    public func set(_ name: String, _ entry: Entry?) { table.withLock { $0[name] = entry } }
    public func set(service name: String, _ records: [Service]) { services.withLock { $0[name] = records } }
    public var questions: Int { asked.withLock { $0 } }
    /// Ends the thread.
    public func stop() { shutdown(fd, Int32(SHUT_RDWR)) }

    private func serve() {
        var octets = [UInt8](repeating: 0, count: 1500)
        var peer = sockaddr_storage()
        while true {
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let room = octets.count
            let count = withUnsafeMutablePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { recvfrom(fd, &octets, room, 0, $0, &size) }
            }
            guard count > 12 else { return }
            let answer = self.answer(Array(octets[..<count]))
            _ = withUnsafePointer(to: &peer) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { sendto(fd, answer, answer.count, 0, $0, size) }
            }
        }
    }

    private func answer(_ question: [UInt8]) -> [UInt8] {
        asked.withLock { $0 += 1 }
        var at = 12
        var labels: [String] = []
        while question[at] != 0 {
            labels.append(String(decoding: question[(at + 1)...(at + Int(question[at]))], as: UTF8.self))
            at += Int(question[at]) + 1
        }
        let type = question[at + 2]
        let end = at + 5
        let name = labels.joined(separator: ".")
        if type == 33, let records = services.withLock({ $0[name] }) {
            return self.records(records, to: Array(question[12..<end]), id: Array(question[..<2]))
        }
        let entry = table.withLock { $0[name] }
        // Unknown: SERVFAIL, so that nobody tries other suffixes for long.
        let addresses = type == 1 ? entry?.addresses ?? [] : []
        var reply = [
            question[0], question[1], 0x81, entry == nil ? 0x82 : 0x80, 0, 1, 0, UInt8(addresses.count), 0, 0, 0, 0,
        ]
        reply += question[12..<end]
        for address in addresses {
            reply += [0xC0, 12, 0, 1, 0, 1]
            reply += (0..<4).map { UInt8(truncatingIfNeeded: (entry?.life ?? 0) >> UInt32(24 - 8 * $0)) }
            reply += [0, 4] + (12..<16).map { address.octet($0) }
        }
        return reply
    }

    private func records(_ records: [Service], to question: [UInt8], id: [UInt8]) -> [UInt8] {
        var reply = id + [0x81, 0x80, 0, 1, 0, UInt8(records.count), 0, 0, 0, 0] + question
        for record in records {
            var target: [UInt8] = []
            for label in record.target.split(separator: ".") { target += [UInt8(label.utf8.count)] + Array(label.utf8) }
            target.append(0)
            // Priority 0, weight 1, a minute to live.
            reply += [0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, UInt8(6 + target.count), 0, 0, 0, 1]
            reply += [UInt8(record.port >> 8), UInt8(truncatingIfNeeded: record.port)] + target
        }
        return reply
    }
}
