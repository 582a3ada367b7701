import Core

/// A ``HealthCheckPlan`` in the block.
public struct HealthCheckConfig: BitwiseCopyable, Sendable {
    /// None or one. Read by the controller alone.
    public var active: Table<ActiveCheckConfig>
    /// None or one.
    public var passive: Table<PassiveCheckPlan>
    /// Percent; 0: no number of unusable endpoints makes all of them be used.
    public var panicThreshold: UInt8
}

/// An ``ActiveCheckPlan`` in the block.
public struct ActiveCheckConfig: BitwiseCopyable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable { case http, tcp, grpc }
    public var kind: Kind
    public var timeout: TimeAmount
    public var interval: TimeAmount
    public var initialJitter: TimeAmount
    public var unhealthyThreshold: UInt32
    public var healthyThreshold: UInt32
    public var port: UInt16
    public var hostname: TextRef
    public var routeHostname: TextRef
    /// Of gRPC: the service.
    public var path: TextRef
    public var method: TextRef
    public var sent: TextRef
    public var expected: TextRef
    public var expectedStatuses: Table<UInt16>
    public var retriableStatuses: Table<UInt16>
    /// Empty: there is no log.
    public var logPath: TextRef
    public var logEvents: HealthCheckLogPlan.Events
}

extension SnapshotWriter {
    /// - Returns: none or one.
    mutating func write(_ plan: HealthCheckPlan) -> Table<HealthCheckConfig> {
        if plan == HealthCheckPlan() { return Table() }
        let config = HealthCheckConfig(
            active: plan.active.map { write($0) } ?? Table(),
            passive: block.append(contentsOf: plan.passive.map { [$0] } ?? []),
            panicThreshold: plan.panicThreshold ?? 0)
        return block.append(contentsOf: [config])
    }

    private mutating func write(_ plan: ActiveCheckPlan) -> Table<ActiveCheckConfig> {
        var config = ActiveCheckConfig(
            kind: .tcp, timeout: plan.timeout, interval: plan.interval, initialJitter: plan.initialJitter,
            unhealthyThreshold: plan.unhealthyThreshold, healthyThreshold: plan.healthyThreshold, port: plan.port,
            hostname: TextRef(), routeHostname: TextRef(), path: TextRef(), method: TextRef(), sent: TextRef(),
            expected: TextRef(),
            expectedStatuses: Table(), retriableStatuses: Table(), logPath: text(plan.log?.path ?? ""),
            logEvents: plan.log?.events ?? [])
        switch plan.probe {
        case .http(let http):
            config.kind = .http
            config.hostname = text(http.hostname)
            config.routeHostname = text(http.routeHostname)
            config.path = text(http.path)
            config.method = text(http.method)
            config.sent = octets(http.requestBody)
            config.expected = octets(http.expectedResponse)
            config.expectedStatuses = block.append(contentsOf: http.expectedStatuses)
            config.retriableStatuses = block.append(contentsOf: http.retriableStatuses)
        case .tcp(let send, let receive):
            config.sent = octets(send)
            config.expected = octets(receive)
        case .grpc(let service):
            config.kind = .grpc
            config.path = text(service)
        }
        return block.append(contentsOf: [config])
    }

    private mutating func octets(_ array: [UInt8]) -> TextRef {
        array.withUnsafeBufferPointer { text(ByteView($0.baseAddress, count: $0.count)) }
    }
}

extension ActiveCheckPlan {
    /// What was written into the block.
    public init(_ config: ActiveCheckConfig, in snapshot: Snapshot) {
        switch config.kind {
        case .http:
            var http = HTTPProbePlan(path: snapshot.text(config.path).string)
            http.hostname = snapshot.text(config.hostname).string
            http.routeHostname = snapshot.text(config.routeHostname).string
            http.method = snapshot.text(config.method).string
            http.requestBody = snapshot.text(config.sent).array
            http.expectedResponse = snapshot.text(config.expected).array
            http.expectedStatuses = Self.statuses(config.expectedStatuses, snapshot)
            http.retriableStatuses = Self.statuses(config.retriableStatuses, snapshot)
            self.init(.http(http))
        case .tcp:
            self.init(.tcp(send: snapshot.text(config.sent).array, receive: snapshot.text(config.expected).array))
        case .grpc: self.init(.grpc(service: snapshot.text(config.path).string))
        }
        timeout = config.timeout
        interval = config.interval
        initialJitter = config.initialJitter
        unhealthyThreshold = config.unhealthyThreshold
        healthyThreshold = config.healthyThreshold
        port = config.port
        if !config.logPath.isEmpty {
            log = HealthCheckLogPlan(events: config.logEvents, path: snapshot.text(config.logPath).string)
        }
    }

    private static func statuses(_ table: Table<UInt16>, _ snapshot: Snapshot) -> [UInt16] {
        (0..<Int(table.count)).map { snapshot[table, $0].pointee }
    }
}
