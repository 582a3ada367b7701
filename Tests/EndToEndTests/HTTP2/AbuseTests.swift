import Core
import Glibc
import IO
import Support
import Testing

/// Each attack ends within a bound, costs the worker a bounded time, and the others are served.
@Suite("HTTP/2 abuse")
struct AbuseTests {
    /// The attack, its frames, and how its connection must be afterwards; nil: ended or not, as long as it is bounded.
    static let attacks: [(String, Int, Bool?)] = [
        ("rapid-reset", 20_000, true), ("made-you-reset", 20_000, true), ("continuation", 2_000, true),
        ("settings", 20_000, true), ("ping", 20_000, true), ("priority", 20_000, nil), ("window", 200_000, true),
        ("empty-data", 20_000, true), ("empty-fields", 20_000, nil), ("hpack-bomb", 20_000, nil),
        ("crumbs", 20_000, nil), ("trailers-bomb", 20_000, nil), ("stalled", 100, nil),
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
        for (attack, count, isClosed) in Self.attacks
        where !isSecure || ["ping", "rapid-reset", "crumbs"].contains(attack) {
            let before = Program.cpuTicks(worker)
            var words = [attack, "--target", "127.0.0.1:\(port)", "--host", "shop.example.com", "--seconds", "10"]
            words += ["--count", "\(count)"]
            if let trust { words += ["--tls", trust.ca] }
            let outcome = try Clients.run("h2_attack", words)
            let end = outcome.lines.last
            if let isClosed {
                #expect((end == "closed" || end == "reset") == isClosed, "\(attack): \(outcome.output)")
            } else {
                #expect(end != "silent", "\(attack): \(outcome.output)")
            }
            // Hundredths of a second, of a debug build.
            let ticks = Program.cpuTicks(worker) - before
            #expect(ticks < 300, "\(attack) cost \(ticks) ticks")
            let answer = try Curl("shop.example.com", port, trust: trust)
            #expect(answer.status == 200, "after \(attack): \(answer.text)")
        }
        #expect(gateway.worker(0) == worker, "\(gateway.output)")
    }
}
