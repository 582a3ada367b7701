import Core
import Glibc
import IO
import Support
import Testing

/// Each attack ends within a bound, costs the worker a bounded time, and the others are served.
@Suite("HTTP/2 abuse")
struct AbuseTests {
    private struct Attack {
        var name: String
        var count = 20_000
        /// It is ended by us; otherwise what it asks for is refused or bounded, and the connection may stay.
        var isEnded = true
        /// Never reads what it is told.
        var isDeaf = false
    }

    private static let attacks = [
        Attack(name: "rapid-reset"), Attack(name: "rapid-reset", isDeaf: true), Attack(name: "made-you-reset"),
        Attack(name: "continuation", count: 2_000), Attack(name: "settings"), Attack(name: "settings", isDeaf: true),
        Attack(name: "ping"), Attack(name: "ping", isDeaf: true), Attack(name: "priority"),
        Attack(name: "window", count: 200_000), Attack(name: "empty-data"), Attack(name: "hpack-bomb"),
        Attack(name: "crumbs"), Attack(name: "trailers-bomb"), Attack(name: "empty-fields", isEnded: false),
        Attack(name: "stalled", count: 100, isEnded: false),
    ]

    @Test(arguments: [false, true])
    func endsAndTheWorkerServesOn(isSecure: Bool) throws {
        let backend = try EchoBackend()
        let port = try Ports.free()
        let trust = isSecure ? try TrustFolder() : nil
        let pair = try TestCertificates.issue(names: ["shop.example.com"])
        let gateway = try Gateway(
            isSecure
                ? SecureSite.simple(port: port, pair: pair, backend: backend.port)
                : Site.simple(port: port, backend: backend.port))
        let worker = try #require(gateway.worker(0))
        // Over TLS the octets are the same: a few suffice to see that the ends are.
        let few = ["ping", "rapid-reset", "crumbs"]
        for attack in Self.attacks where !isSecure || few.contains(attack.name) && !attack.isDeaf {
            let before = Program.cpuTicks(worker)
            var words = [attack.name, "--target", "127.0.0.1:\(port)", "--host", "shop.example.com", "--seconds", "10"]
            words += ["--count", "\(attack.count)"] + (attack.isDeaf ? ["--deaf"] : [])
            if let trust { words += ["--tls", trust.ca] }
            let outcome = try Clients.run("h2_attack", words)
            let ends = attack.isEnded ? ["closed", "reset"] : ["open"]
            #expect(ends.contains(outcome.lines.last ?? ""), "\(attack): \(outcome.output)")
            // Hundredths of a second, of a debug build.
            let ticks = Program.cpuTicks(worker) - before
            #expect(ticks < 300, "\(attack) cost \(ticks) ticks")
            let answer = try Curl("shop.example.com", port, trust: trust)
            #expect(answer.status == 200, "after \(attack): \(answer.text)")
        }
        #expect(gateway.worker(0) == worker, "\(gateway.output)")
    }
}
