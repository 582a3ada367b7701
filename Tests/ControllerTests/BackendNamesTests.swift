import Config
import Core
import Glibc
import IO
import Support
import Telemetry
import Testing

@testable import Controller

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

    private let shop = DNSNamePlan(name: "shop.example", port: 80)
    private func question(_ name: String) -> BackendNames.Question { .init(DNSNamePlan(name: name, port: 80)) }
    private let one = IPAddress(v4: 10, 0, 0, 1)
    private let two = IPAddress(v4: 10, 0, 0, 2)

    @Test func anAnswerIsUsedAndRefreshed() throws {
        try with { server, names, loop, statistics in
            server.set("shop.example", .init(addresses: [two, one], life: 1))
            var changes = 0
            names.onChange = { changes += 1 }
            names.want([.init(shop)])
            turn(loop) { changes == 1 }
            #expect(names.places(of: shop).map(\.address) == [one, two])
            server.set("shop.example", .init(addresses: [two], life: 1))
            turn(loop) { changes == 2 }
            #expect(names.places(of: shop).map(\.address) == [two])
            #expect(statistics[.dnsQueries] >= 2 && statistics[.dnsFailures] == 0)
        }
    }

    @Test func aFailureKeepsWhatWasKnown() throws {
        try with { server, names, loop, statistics in
            server.set("shop.example", .init(addresses: [one], life: 1))
            names.want([.init(shop)])
            turn(loop) { !names.places(of: shop).map(\.address).isEmpty }
            server.set("shop.example", nil)
            turn(loop) { statistics[.dnsFailures] > 0 }
            #expect(statistics[.dnsFailures] > 0)
            #expect(names.places(of: shop).map(\.address) == [one])
        }
    }

    /// A name that is misspelt is told once, however often it is asked for, and that it is well again.
    @Test func aNameWithoutAnAnswerIsTold() throws {
        try with { server, names, loop, statistics in
            var told: [BackendNames.Unanswered] = []
            var well: [String] = []
            names.onTrouble = { told.append($0) }
            names.onEndOfTrouble = { well.append($0) }
            names.want([question("central.exmaple")])
            turn(loop) { statistics[.dnsFailures] >= 2 }
            #expect(told.map(\.name) == ["central.exmaple"] && told.first?.addressesKept == 0)
            #expect(told.first?.reason.isEmpty == false)
            #expect(names.unanswered == told)
            server.set("central.exmaple", .init(addresses: [one], life: 1))
            turn(loop) { !well.isEmpty }
            #expect(well == ["central.exmaple"] && names.unanswered.isEmpty)
            server.set("central.exmaple", nil)
            turn(loop) { told.count == 2 }
            #expect(told.last?.addressesKept == 1)
        }
    }

    @Test func theSameAnswerIsNoChange() throws {
        try with { server, names, loop, statistics in
            server.set("shop.example", .init(addresses: [one, two], life: 1))
            var changes = 0
            names.onChange = { changes += 1 }
            names.want([.init(shop)])
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
            names.want([question("a.example"), question("unknown.example")])
            names.whenAnswered(atMost: .seconds(30)) { isDone = true }
            #expect(!isDone)
            turn(loop) { isDone }
            #expect(isDone)
            #expect(names.places(of: DNSNamePlan(name: "a.example", port: 80)).map(\.address) == [one])
            #expect(names.places(of: DNSNamePlan(name: "unknown.example", port: 80)).isEmpty)
        }
    }

    @Test func nobodyWaitsForEver() throws {
        try with { server, names, loop, _ in
            server.stop()
            var isDone = false
            names.want([question("a.example")])
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
