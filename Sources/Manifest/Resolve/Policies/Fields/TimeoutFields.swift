import Config
import Core

extension RouteTimeoutsPlan {
    /// - Parameter node: `spec.timeout`.
    init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        let http = node[Key.http]
        request = reading.limit(http[Key.requestTimeout])
        streamIdle = reading.limit(http[Key.streamIdleTimeout])
        maxStreamDuration = reading.limit(http[Key.maxStreamDuration])
    }

    private enum Key {
        static let http = FieldKey("http")
        static let maxStreamDuration = FieldKey("maxStreamDuration")
        static let requestTimeout = FieldKey("requestTimeout")
        static let streamIdleTimeout = FieldKey("streamIdleTimeout")
    }
}

extension PolicyReading {
    /// A length of time with the words for who set it; nil when it is not written.
    mutating func limit(_ node: PolicyNode) -> TimeLimit? {
        guard let amount = duration(node) else { return nil }
        let policy = resource(node)
        let location = node.nearest.location
        return TimeLimit(
            amount,
            origin: "\(node.path) of \(policy.kind.name) '\(policy.name)' (\(location.file):\(location.line))")
    }
}
