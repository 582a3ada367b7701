import Config
import Core
import Routing
import Testing

@Suite struct HostileInputTests {
    /// The table is asked with octets that no parser would let through, and still answers.
    @Test(arguments: 0..<50) func anyOctetsGetADecision(seed: UInt64) throws {
        var plans = RandomPlan(seed: seed)
        let table = try TestTable(plans.plan())
        var random = SeededRandom(seed: seed)
        let alphabet = Array("/.%&=?*ab\u{0}[]:".utf8) + [0x80, 0xFF]
        for _ in 0..<200 {
            func octets() -> [UInt8] {
                let count = Int.random(in: 0...(Int.random(in: 0..<20, using: &random) == 0 ? 600 : 12), using: &random)
                return (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] }
            }
            let (host, path) = (octets(), octets())
            let outcomes = TestRequest("/?" + String(decoding: octets(), as: UTF8.self)).with { head, bytes, _, _ in
                host.withView { host in
                    path.withView { path in
                        let decision = table.table.decide(socket: 0, head: head, bytes: bytes, host: host, path: path)
                        let explained = table.table.explain(socket: 0, head: head, bytes: bytes, host: host, path: path)
                        return (decision, explained.decision)
                    }
                }
            }
            #expect(outcomes.0.match == outcomes.1.match)
            #expect((outcomes.0.outcome == .rule) == (outcomes.0.match != nil))
            #expect(Int(outcomes.0.matchedPrefixLength) <= path.count)
        }
    }

    @Test func aNameOfDotsAndOneOfManyLabels() throws {
        let table = try TestTable(
            .oneListener([("r", ["*.a.b", "a.b"], [[MatchPlan(path: .prefix("/"))]])]))
        for host in [
            String(repeating: ".", count: 253), String(repeating: ".", count: 251) + "a.b",
            String(repeating: ".", count: 9999),
        ] {
            _ = table.decide(.init("/", host: host))
        }
        #expect(table.winner(.init("/", host: String(repeating: "x.", count: 125) + "a.b")) == "r 0.0")
    }

    /// A literal prefix may only spare work: what an expression matches is the same with it.
    @Test(arguments: 0..<200) func literalPrefixesChangeNothing(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        func text(_ pieces: [String], _ count: Int) -> String {
            (0..<Int.random(in: 1...count, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }.joined()
        }
        let pieces = [
            "a", "b", "/", "a?", "b*", "(a|b)", "[ab]", "[|]", ".", "|", "^", "$", "\\.", "(?i)", "\\Qa|\\E", "[]a]",
            "(?:b)", "{2}", "\\|", "(?#|)",
        ]
        let expression = "/" + text(pieces, 6)
        guard let pattern = try? PCRE2Pattern(expression) else { return }
        let table = try TestTable(.matches([.init(path: .regularExpression(expression))]))
        for _ in 0..<200 {
            let path =
                (Int.random(in: 0..<4, using: &random) == 0 ? "" : "/") + text(["a", "b", "/", "A", ".", "|"], 6)
            #expect(
                (table.winner(.init(path)) == "r 0.0") == path.withView(pattern.matches),
                "seed \(seed): \(expression) on \(path)")
        }
    }
}
