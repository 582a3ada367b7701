import Core
import IO
import Support
import Testing
import Upstream

@testable import Controller

@Suite("The state file of rollouts") struct RolloutFileTests {
    private static func entry(_ phase: RolloutState.Phase) -> RolloutFile.Entry {
        var state = RolloutState(specHash: .max - 5, at: 1_795_000_000_123_456_789)
        state.phase = phase
        state.reason = .failures
        state.step = 3
        state.phaseBegan = 1_795_000_000_123_456_790
        state.canary.requests = 17
        state.stable.requests = 18
        state.canaryRequests = 1700
        state.canaryFailures = 51
        state.stableRequests = 1 << 40
        state.failureRace = SequentialRace(evidence: SIMD4(0.1, -2.5e-7, 7.25, -1e3))
        return RolloutFile.Entry(identity: 0xFEDC_BA98_7654_3210, route: "shop/web", rule: "checkout", state: state)
    }

    @Test(arguments: RolloutState.Phase.all) func whatIsWrittenIsRead(phase: RolloutState.Phase) throws {
        let text = RolloutFile.text([Self.entry(phase), Self.entry(.completed)])
        #expect(RolloutFile.entries(text.view.array) == [Self.entry(phase), Self.entry(.completed)])
    }

    @Test func noneIsAFileToo() {
        #expect(RolloutFile.entries(RolloutFile.text([]).view.array) == [])
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{\"version\":2,\"rollouts\":[]}", "\u{FF}", "version: 1\n---\nversion: 1",
    ])
    func whatIsNoneIsRefused(text: String) { #expect(RolloutFile.entries(Array(text.utf8)) == nil) }

    @Test(arguments: ["phase", "step", "identity", "specHash", "failureEvidence", "stepBegan", "reason"])
    func entriesThatMakeNoSenseAreLeftOut(field: String) {
        let text = RolloutFile.text([Self.entry(.holding)]).view.string.replacing("\"\(field)\":", with: "\"x\":")
        #expect(RolloutFile.entries(Array(text.utf8)) == [])
    }

    @Test func aCutFileIsNeverTakenForAWholeOne() {
        let whole = RolloutFile.text([Self.entry(.progressing)]).view.array
        for length in 0..<(whole.count - 2) { #expect(RolloutFile.entries(Array(whole.prefix(length))) == nil) }
    }

    private func write(_ text: String, to path: String) throws {
        var buffer = ByteBuffer()
        buffer.append(string: text)
        try DurableFile.write(buffer.view, to: path)
    }

    @Test func filesAreReplacedWhole() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/state"
        #expect(try DurableFile.read(path, limit: 100) == nil)
        for text in ["first", "second, and longer", ""] {
            try write(text, to: path)
            #expect(try DurableFile.read(path, limit: 100) == Array(text.utf8))
        }
        #expect(throws: Errno.self) {
            try write("x", to: folder.path + "/none/state")
        }
        try folder.write("large", String(repeating: "x", count: 101))
        #expect(throws: Errno.self) { try DurableFile.read(folder.path + "/large", limit: 100) }
    }
}
