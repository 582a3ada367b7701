import Core
import Glibc
import IO
import Support
import Synchronization
import Telemetry
import Testing

@testable import Controller

/// A DNS server of a test: answers A questions from a table, over UDP on loopback, on a thread of its own.
final class FakeDNS: Sendable {
    struct Entry: Sendable {
        var addresses: [IPAddress]
        var life: UInt32
    }

    let port: UInt16
    private let fd: CInt
    private let table = Mutex<[String: Entry]>([:])
    private let asked = Mutex<Int>(0)

    init() throws {
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

    func set(_ name: String, _ entry: Entry?) { table.withLock { $0[name] = entry } }
    var questions: Int { asked.withLock { $0 } }
    /// Ends the thread.
    func stop() { shutdown(fd, Int32(SHUT_RDWR)) }

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
        let entry = table.withLock { $0[labels.joined(separator: ".")] }
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
}

@Suite("Names of backends", .serialized)
struct BackendNamesTests {
    /// Names on a loop with a server of their own; everything is taken apart at the end.
    private func with(_ body: (FakeDNS, BackendNames, EventLoop, ControllerStatistics) throws -> Void) throws {
        let server = try FakeDNS()
        defer { server.stop() }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
        memset(memory, 0, 4096)
        defer { memory.deallocate() }
        let statistics = ControllerStatistics(base: memory)
        let loop = EventLoop()
        let names = BackendNames(loop: loop, server: "127.0.0.1:\(server.port)", statistics: statistics)
        try body(server, names, loop, statistics)
        names.want([])
        // Questions under way find nobody who waits for them.
        withExtendedLifetime(names) {}
    }

    private func turn(_ loop: EventLoop, until condition: () -> Bool) {
        let end = SystemCalls.monotonicNow() + .seconds(15)
        while !condition(), SystemCalls.monotonicNow() < end { loop.turn(limit: 20) }
    }

    private let one = IPAddress(v4: 10, 0, 0, 1)
    private let two = IPAddress(v4: 10, 0, 0, 2)

    @Test func anAnswerIsUsedAndRefreshed() throws {
        try with { server, names, loop, statistics in
            server.set("shop.example", .init(addresses: [two, one], life: 1))
            var changes = 0
            names.onChange = { changes += 1 }
            names.want(["shop.example"])
            turn(loop) { changes == 1 }
            #expect(names.addresses(of: "shop.example") == [one, two])
            server.set("shop.example", .init(addresses: [two], life: 1))
            turn(loop) { changes == 2 }
            #expect(names.addresses(of: "shop.example") == [two])
            #expect(statistics[.dnsQueries] >= 2 && statistics[.dnsFailures] == 0)
        }
    }

    @Test func aFailureKeepsWhatWasKnown() throws {
        try with { server, names, loop, statistics in
            server.set("shop.example", .init(addresses: [one], life: 1))
            names.want(["shop.example"])
            turn(loop) { !names.addresses(of: "shop.example").isEmpty }
            server.set("shop.example", nil)
            turn(loop) { statistics[.dnsFailures] > 0 }
            #expect(statistics[.dnsFailures] > 0)
            #expect(names.addresses(of: "shop.example") == [one])
        }
    }

    @Test func theSameAnswerIsNoChange() throws {
        try with { server, names, loop, statistics in
            server.set("shop.example", .init(addresses: [one, two], life: 1))
            var changes = 0
            names.onChange = { changes += 1 }
            names.want(["shop.example"])
            turn(loop) { changes == 1 }
            server.set("shop.example", .init(addresses: [two, one], life: 1))
            turn(loop) { statistics[.dnsQueries] >= 3 }
            #expect(changes == 1)
        }
    }

    @Test func whoWaitsIsToldOnceAllAreAnswered() throws {
        try with { server, names, loop, _ in
            server.set("a.example", .init(addresses: [one], life: 300))
            var isDone = false
            names.want(["a.example", "unknown.example"])
            names.whenAnswered(atMost: .seconds(30)) { isDone = true }
            #expect(!isDone)
            turn(loop) { isDone }
            #expect(isDone)
            #expect(names.addresses(of: "a.example") == [one])
            #expect(names.addresses(of: "unknown.example").isEmpty)
        }
    }

    @Test func nobodyWaitsForEver() throws {
        try with { server, names, loop, _ in
            server.stop()
            var isDone = false
            names.want(["a.example"])
            let watch = Stopwatch()
            names.whenAnswered(atMost: .milliseconds(200)) { isDone = true }
            turn(loop) { isDone }
            #expect(isDone && watch.elapsed < .seconds(5))
        }
    }

    @Test func noNamesNoWaiting() throws {
        try with { _, names, _, _ in
            var isDone = false
            names.whenAnswered(atMost: .seconds(30)) { isDone = true }
            #expect(isDone)
        }
    }
}
