import Core
import IO
import Manifest
import Upstream

/// The state file of rollouts: how far each has come, and by what evidence. It outlives the gateway; while one runs, the
/// same lies in shared memory, latencies included.
enum RolloutFile {
    static let name = "rollouts.json"
    /// Octets; some thousand rollouts.
    static let limit = 1 << 20
    private static let version: Int64 = 1

    /// One entry: whose it is, and its state.
    struct Entry: Equatable {
        /// Of route and rule, as the snapshot has it.
        var identity: UInt64
        /// For people who look into the file.
        var route: String
        var rule: String
        var state: RolloutState
    }

    static func text(_ entries: [Entry]) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.field("version", Int(version))
        json.key("rollouts")
        json.beginArray()
        for entry in entries {
            let state = entry.state
            json.beginObject()
            json.field("route", ascii(entry.route))
            json.field("rule", ascii(entry.rule))
            json.field("identity", AdminJSON.hexadecimal(entry.identity))
            json.field("specHash", AdminJSON.hexadecimal(state.specHash))
            json.field("phase", state.phase.word)
            json.field("reason", Int(state.reason.rawValue))
            json.field("step", Int(state.step))
            json.field("stepBegan", Int(state.stepBegan))
            json.field("phaseBegan", Int(state.phaseBegan))
            json.field("stepCanaryRequests", state.canary.requests)
            json.field("stepStableRequests", state.stable.requests)
            json.field("canaryRequests", state.canaryRequests)
            json.field("canaryFailures", state.canaryFailures)
            json.field("stableRequests", state.stableRequests)
            json.field("stableFailures", state.stableFailures)
            write("failureEvidence", state.failureRace, &json)
            write("latencyEvidence", state.latencyRace, &json)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return AdminJSON.end(json)
    }

    private static func write(_ key: StaticString, _ race: SequentialRace, _ json: inout JSONWriter) {
        json.key(key)
        json.beginArray()
        for i in 0..<4 { json.value(race.evidence[i]) }
        json.endArray()
    }

    /// Names of Kubernetes are ASCII; rule names are, too.
    private static func ascii(_ text: String) -> String { text.utf8.allSatisfy { $0 < 0x80 } ? text : "" }

    /// Nil: this is no state file. Entries that make no sense are left out.
    static func entries(_ octets: [UInt8]) -> [Entry]? {
        let found = StateDocument.read(octets) { root -> [Entry]? in
            guard root["version"].integer == version else { return nil }
            return root["rollouts"].items.compactMap(entry)
        }
        return found ?? nil
    }

    private static func entry(_ node: Node) -> Entry? {
        func count(_ name: StaticString) -> UInt64? { node[name].integer.flatMap { UInt64(exactly: $0) } }
        guard let identity = node["identity"].string.flatMap({ UInt64($0, radix: 16) }),
            let specHash = node["specHash"].string.flatMap({ UInt64($0, radix: 16) }),
            let phase = node["phase"].string.flatMap({ RolloutState.Phase(word: $0) }),
            let reason = node["reason"].integer.flatMap({ UInt8(exactly: $0) }).flatMap({
                RolloutState.Reason(rawValue: $0)
            }),
            let step = node["step"].integer.flatMap({ UInt16(exactly: $0) }),
            let stepBegan = node["stepBegan"].integer, let phaseBegan = node["phaseBegan"].integer,
            let failures = race(node["failureEvidence"]), let latencies = race(node["latencyEvidence"])
        else { return nil }
        var state = RolloutState(specHash: specHash, at: stepBegan)
        state.phase = phase
        state.reason = reason
        state.step = step
        state.phaseBegan = phaseBegan
        state.canary.requests = count("stepCanaryRequests") ?? 0
        state.stable.requests = count("stepStableRequests") ?? 0
        state.canaryRequests = count("canaryRequests") ?? 0
        state.canaryFailures = count("canaryFailures") ?? 0
        state.stableRequests = count("stableRequests") ?? 0
        state.stableFailures = count("stableFailures") ?? 0
        state.failureRace = failures
        state.latencyRace = latencies
        return Entry(
            identity: identity, route: node["route"].string ?? "", rule: node["rule"].string ?? "", state: state)
    }

    private static func race(_ node: Node) -> SequentialRace? {
        let numbers = node.items.compactMap(\.number)
        guard numbers.count == 4, numbers.allSatisfy(\.isFinite) else { return nil }
        return SequentialRace(evidence: SIMD4(numbers[0], numbers[1], numbers[2], numbers[3]))
    }
}

extension RolloutState.Phase {
    /// As files, the admin interface and metrics have it.
    var word: String {
        switch self {
        case .progressing: "progressing"
        case .holding: "holding"
        case .completed: "completed"
        case .rolledBack: "rolledBack"
        }
    }

    static let all: [RolloutState.Phase] = [.progressing, .holding, .completed, .rolledBack]

    init?(word: String) {
        guard let phase = Self.all.first(where: { $0.word == word }) else { return nil }
        self = phase
    }
}
