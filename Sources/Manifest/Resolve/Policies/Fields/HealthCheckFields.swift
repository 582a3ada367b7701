import Config
import Core

/// `healthCheck` of a BackendTrafficPolicy. What the schema has refused already is not looked at again.
extension HealthCheckPlan {
    init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let active = node[Keys.active]
        let passive = node[Keys.passive]
        self.init(
            active: active.exists ? ActiveCheckPlan(active, &reading) : nil,
            passive: passive.exists ? PassiveCheckPlan(passive, &reading) : nil,
            panicThreshold: node[Keys.panicThreshold].integer.flatMap { UInt8(exactly: $0) }.flatMap {
                $0 == 0 ? nil : $0
            })
    }
}

private enum Keys {
    static let active = FieldKey("active")
    static let alwaysEjectOneEndpoint = FieldKey("alwaysEjectOneEndpoint")
    static let baseEjectionTime = FieldKey("baseEjectionTime")
    static let binary = FieldKey("binary")
    static let consecutive5XxErrors = FieldKey("consecutive5XxErrors")
    static let consecutiveGatewayErrors = FieldKey("consecutiveGatewayErrors")
    static let consecutiveLocalOriginFailures = FieldKey("consecutiveLocalOriginFailures")
    static let expectedResponse = FieldKey("expectedResponse")
    static let expectedStatuses = FieldKey("expectedStatuses")
    static let failurePercentageThreshold = FieldKey("failurePercentageThreshold")
    static let file = FieldKey("file")
    static let grpc = FieldKey("grpc")
    static let healthCheckLog = FieldKey("healthCheckLog")
    static let healthyThreshold = FieldKey("healthyThreshold")
    static let http = FieldKey("http")
    static let initialJitter = FieldKey("initialJitter")
    static let interval = FieldKey("interval")
    static let maxEjectionPercent = FieldKey("maxEjectionPercent")
    static let overrides = FieldKey("overrides")
    static let panicThreshold = FieldKey("panicThreshold")
    static let passive = FieldKey("passive")
    static let receive = FieldKey("receive")
    static let requestBody = FieldKey("requestBody")
    static let retriableStatuses = FieldKey("retriableStatuses")
    static let send = FieldKey("send")
    static let sinks = FieldKey("sinks")
    static let splitExternalLocalOriginErrors = FieldKey("splitExternalLocalOriginErrors")
    static let tcp = FieldKey("tcp")
    static let text = FieldKey("text")
    static let timeout = FieldKey("timeout")
    static let unhealthyThreshold = FieldKey("unhealthyThreshold")
}

extension ActiveCheckPlan {
    fileprivate init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        switch node[.type].string {
        case "GRPC": self.init(.grpc(service: node[Keys.grpc][.service].string ?? ""))
        case "TCP":
            let tcp = node[Keys.tcp]
            self.init(
                .tcp(
                    send: octets(tcp[Keys.send], most: HealthCheckLimits.payload, &reading),
                    receive: octets(tcp[Keys.receive], most: HealthCheckLimits.responseBody, &reading)))
        default: self.init(.http(HTTPProbePlan(node[Keys.http], &reading)))
        }
        timeout = duration(node[Keys.timeout], &reading) ?? timeout
        interval = duration(node[Keys.interval], &reading) ?? interval
        initialJitter = node[Keys.initialJitter].string.flatMap { GatewayDuration.parse($0) } ?? initialJitter
        unhealthyThreshold = number(node[Keys.unhealthyThreshold]) ?? unhealthyThreshold
        healthyThreshold = number(node[Keys.healthyThreshold]) ?? healthyThreshold
        port = node[Keys.overrides][.port].integer.flatMap { UInt16(exactly: $0) } ?? 0
        let log = node[Keys.healthCheckLog]
        if log.exists { self.log = HealthCheckLogPlan(log) }
    }
}

extension HTTPProbePlan {
    fileprivate init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let path = node[.path].string ?? "/"
        self.init(path: path)
        if !path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) || path.utf8.first != ASCII.slash {
            reading.refuse(node[.path], "'\(path)' cannot be asked for; a path begins with '/' and has no blanks")
        }
        hostname = node[.hostname].string ?? ""
        if let written = node[.method].string, !written.isEmpty {
            method = written.uppercased()
            if method == "CONNECT" || !method.utf8.allSatisfy({ 0x41 <= $0 && $0 <= 0x5A || $0 == 0x2D }) {
                reading.refuse(
                    node[.method], "a health check cannot be made by '\(written)'; write a method such as GET")
            }
        }
        requestBody = octets(node[Keys.requestBody], most: HealthCheckLimits.payload, &reading)
        expectedResponse = octets(node[Keys.expectedResponse], most: HealthCheckLimits.responseBody, &reading)
        expectedStatuses = node[Keys.expectedStatuses].items.compactMap { $0.integer.flatMap { UInt16(exactly: $0) } }
        retriableStatuses = node[Keys.retriableStatuses].items.compactMap { $0.integer.flatMap { UInt16(exactly: $0) } }
    }
}

extension HealthCheckLogPlan {
    fileprivate init(_ node: PolicyNode) {
        var events: Events = []
        for item in node[.matches].items {
            switch item.string {
            case "Failure": events.insert(.failure)
            case "FailureSeriesStart": events.insert(.failureSeriesStart)
            case "Success": events.insert(.success)
            case "HealthyTransition": events.insert(.healthyTransition)
            default: break
            }
        }
        self.init(events: events.isEmpty ? .all : events)
        if let sink = node[Keys.sinks].items.first, let file = sink[Keys.file][.path].string { path = file }
    }
}

extension PassiveCheckPlan {
    fileprivate init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        consecutive5XxErrors = number(node[Keys.consecutive5XxErrors]) ?? consecutive5XxErrors
        consecutiveGatewayErrors = number(node[Keys.consecutiveGatewayErrors]) ?? consecutiveGatewayErrors
        consecutiveLocalOriginFailures =
            number(node[Keys.consecutiveLocalOriginFailures]) ?? consecutiveLocalOriginFailures
        splitExternalLocalOriginErrors =
            node[Keys.splitExternalLocalOriginErrors].boolean ?? splitExternalLocalOriginErrors
        interval = duration(node[Keys.interval], &reading) ?? interval
        baseEjectionTime = duration(node[Keys.baseEjectionTime], &reading) ?? baseEjectionTime
        maxEjectionPercent = number(node[Keys.maxEjectionPercent]) ?? maxEjectionPercent
        alwaysEjectOneEndpoint = node[Keys.alwaysEjectOneEndpoint].boolean ?? alwaysEjectOneEndpoint
        failurePercentageThreshold = number(node[Keys.failurePercentageThreshold]) ?? failurePercentageThreshold
    }
}

/// A count; what is negative is none. Nil: it is not written.
private func number(_ node: PolicyNode) -> UInt32? { node.integer.map { UInt32(clamping: $0) } }

/// A time that something takes, or that lies between two; nil: it is not written.
private func duration(_ node: PolicyNode, _ reading: inout PolicyReading) -> TimeAmount? {
    guard let written = node.string.flatMap({ GatewayDuration.parse($0) }) else { return nil }
    if written <= .zero { reading.refuse(node, "'\(node.string ?? "")' is no time; it must be more than 0s") }
    return max(written, HealthCheckLimits.shortestInterval)
}

/// The octets of a payload; empty: there is none.
private func octets(_ node: PolicyNode, most: Int, _ reading: inout PolicyReading) -> [UInt8] {
    guard node.exists else { return [] }
    var octets: [UInt8] = []
    if let encoded = node[Keys.binary].string {
        guard let decoded = encoded.withView({ Base64.decode($0) }) else {
            reading.refuse(node[Keys.binary], "it is not base64")
            return []
        }
        octets = decoded
    } else if let text = node[Keys.text].string {
        octets = Array(text.utf8)
    }
    if octets.count > most {
        reading.refuse(node, "it has \(octets.count) octets; at most \(most) are supported by Sluice")
    }
    return octets
}
