import Config
import Core

/// The value of `sluice.dev/rollout`: one rollout, or a list of them, one for each rule, in YAML or JSON.
///
/// It is read as strictly as a manifest: a field that is not known is an error, since a misspelt limit would be no limit.
struct RolloutText {
    struct Rollout {
        /// Nil: the route's only rule.
        var rule: String?
        var canary: String
        var stable: String
        var steps: [UInt32]
        var interval: TimeAmount
        var minRequests: UInt64
        var failureTolerance: UInt32
        var latencyRatio: UInt32
        /// Of everything that is written.
        var hash: UInt64
        var location: SourceLocation
    }

    struct Problem {
        var message: String
        var location: SourceLocation
    }

    private static let fields: [String] = [
        "rule", "canary", "stable", "steps", "interval", "minRequests", "maxSuccessRateDrop", "maxP99Ratio", "version",
    ]
    /// Steps of one rollout.
    static let stepLimit = 32
    static let defaultInterval = TimeAmount.seconds(60)
    static let defaultMinRequests: UInt64 = 500
    /// A tenth of a percentage point.
    static let defaultFailureTolerance: UInt32 = 100
    static let defaultLatencyRatio: UInt32 = 1500

    private(set) var rollouts: [Rollout] = []
    private(set) var problems: [Problem] = []
    private let annotation: AnnotationText

    init(_ annotation: AnnotationText) {
        self.annotation = annotation
        let octets = Array(annotation.text.utf8)
        octets.withView { view in
            let file = ManifestFile(path: "", octets: view, knownNames: Schema.shared.names)
            let (roots, faults) = DocumentReader.read(file, isASCII: octets.allSatisfy { $0 < 0x80 })
            file.finish()
            for fault in faults { refuse(fault.message, file.location(of: fault.offset)) }
            for root in roots { read(Node(file, root, .any)) }
            if roots.isEmpty, faults.isEmpty { refuse("is empty; write canary, stable and steps", nil) }
            withExtendedLifetime(file) {}
        }
    }

    private mutating func refuse(_ message: String, _ place: SourceLocation?) {
        problems.append(
            Problem(message: message, location: annotation.location(line: place?.line ?? 1, column: place?.column ?? 1))
        )
    }

    private mutating func read(_ node: Node) {
        switch node.kind {
        case .object:
            if let rollout = rollout(node) { rollouts.append(rollout) }
        case .list:
            for item in node.items {
                guard item.kind == .object else {
                    refuse("each entry must be an object with canary, stable and steps", item.location)
                    continue
                }
                if let rollout = rollout(item) { rollouts.append(rollout) }
            }
        default: refuse("must be an object with canary, stable and steps, or a list of such", node.location)
        }
    }

    /// Nil: something is wrong, and has been told.
    private mutating func rollout(_ node: Node) -> Rollout? {
        let before = problems.count
        for (name, value) in node.fields where !Self.fields.contains(name.string) {
            let hint =
                NearestName.of(name.string, among: Self.fields).map { "did you mean '\($0)'?" }
                ?? "there are \(Self.fields.joined(separator: ", "))"
            refuse("no field is named '\(name.string)'; \(hint)", value.keyLocation)
        }
        // What is missing then is most likely what was misspelt.
        guard problems.count == before else { return nil }
        let canary = text(node, "canary", "the backendRef that is to take over, such as 'shop-v2'")
        let stable = text(node, "stable", "the backendRef that serves now, such as 'shop-v1'")
        let steps = steps(node)
        let interval = interval(node)
        let minRequests = number(node["minRequests"], "minRequests", 1...1e9, "a number of requests from 1 on")
        let drop = number(
            node["maxSuccessRateDrop"], "maxSuccessRateDrop", 0...100, "percentage points from 0 to 100, such as 0.1")
        let ratio = number(
            node["maxP99Ratio"], "maxP99Ratio", 0...100, "a ratio from 1 to 100, such as 1.5, or 0 not to compare")
        if let ratio, ratio > 0, ratio < 1 {
            refuse(
                "maxP99Ratio: \(ratio) would ask the canary to be faster; write 1 or more, or 0 not to compare",
                node["maxP99Ratio"].location)
        }
        if node["version"].exists, node["version"].kind == .list || node["version"].kind == .object {
            refuse("version: must be a text or a number", node["version"].location)
        }
        var rule: String?
        if node["rule"].exists { rule = text(node, "rule", "the name of a rule") }
        guard problems.count == before, let canary, let stable, let steps else { return nil }
        return Rollout(
            rule: rule, canary: canary, stable: stable, steps: steps, interval: interval,
            minRequests: minRequests.map { UInt64($0) } ?? Self.defaultMinRequests,
            failureTolerance: drop.map { UInt32(($0 * 1000).rounded()) } ?? Self.defaultFailureTolerance,
            latencyRatio: ratio.map { UInt32(($0 * 1000).rounded()) } ?? Self.defaultLatencyRatio,
            hash: SpecHash.of(WrittenNode(node)),
            location: annotation.location(line: node.location.line, column: node.location.column))
    }

    private mutating func text(_ node: Node, _ field: StaticString, _ meaning: String) -> String? {
        let value = node[field]
        guard value.exists else {
            refuse("has no \(field); write \(meaning)", node.location)
            return nil
        }
        guard let text = value.string, !text.isEmpty else {
            refuse("\(field): must be a text; write \(meaning)", value.location)
            return nil
        }
        return text
    }

    private mutating func steps(_ node: Node) -> [UInt32]? {
        let list = node["steps"]
        let example = "such as [5, 20, 50, 100]"
        guard list.exists else {
            refuse("has no steps; write the canary's percentages, \(example)", node.location)
            return nil
        }
        guard list.kind == .list, (1...Self.stepLimit).contains(list.count) else {
            refuse("steps: must be a list of 1 to \(Self.stepLimit) percentages, \(example)", list.location)
            return nil
        }
        var steps: [UInt32] = []
        for item in list.items {
            guard let percent = item.number, percent >= 0.1, percent <= 100 else {
                refuse("steps: '\(item.text.string)' is not a percentage from 0.1 to 100", item.location)
                return nil
            }
            let step = UInt32((percent * 10).rounded())
            if let last = steps.last, step <= last {
                refuse(
                    "steps: '\(item.text.string)' does not grow; each step must be above the one before", item.location)
                return nil
            }
            steps.append(step)
        }
        return steps
    }

    private mutating func interval(_ node: Node) -> TimeAmount {
        let value = node["interval"]
        guard value.exists else { return Self.defaultInterval }
        guard let time = value.string.flatMap({ GatewayDuration.parse($0) }), time > .zero else {
            refuse("interval: '\(value.text.string)' is not a duration such as 5m", value.location)
            return Self.defaultInterval
        }
        return time
    }

    private mutating func number(
        _ node: Node, _ name: String, _ range: ClosedRange<Double>, _ meaning: String
    ) -> Double? {
        guard node.exists else { return nil }
        guard let number = node.number, range.contains(number) else {
            refuse("\(name): '\(node.text.string)' is not \(meaning)", node.location)
            return nil
        }
        return number
    }
}
