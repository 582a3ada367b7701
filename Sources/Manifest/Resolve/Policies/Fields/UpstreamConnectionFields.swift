import Config
import Core

extension UpstreamConnectionPlan {
    /// - Parameter spec: of BackendTrafficPolicy.
    init(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        let tcp = spec[Key.timeout][Key.tcp]
        connectTimeout = reading.limit(tcp[Key.connectTimeout])
        if connectTimeout?.amount == .zero {
            reading.refuse(tcp[Key.connectTimeout], "must be longer than 0s: no connection is made in no time")
        }
        let http = spec[Key.timeout][Key.http]
        if let idle = reading.duration(http[Key.connectionIdleTimeout]) {
            settings.idleTimeout = idle
        } else if http.exists {
            // Envoy Gateway's default, once anything is written here.
            settings.idleTimeout = .seconds(3600)
        }
        settings.maxDuration = reading.duration(http[Key.maxConnectionDuration]) ?? .zero
        settings.usesClientProtocol = spec[Key.useClientProtocol].boolean ?? false

        let connection = spec[Key.connection]
        settings.bufferLimit = reading.octets(connection[Key.bufferLimit], 1...Self.longestBuffer) ?? 0
        settings.socketBufferLimit = reading.octets(connection[Key.socketBufferLimit], 1...Int64(Int32.max)) ?? 0
        if connection[Key.preconnect].exists {
            reading.refuse(connection[Key.preconnect], "preconnect is not supported by Sluice")
        }

        let keepalive = spec[Key.tcpKeepalive]
        settings.tcpKeepalive.isOn = keepalive.exists
        settings.tcpKeepalive.probes = UInt32(reading.count(keepalive[Key.probes], upTo: 127) ?? 0)
        settings.tcpKeepalive.idleTime = reading.seconds(keepalive[Key.idleTime], upTo: 32_767) ?? 0
        settings.tcpKeepalive.interval = reading.seconds(keepalive[Key.interval], upTo: 32_767) ?? 0
        settings.http2.read(spec[Key.http2], &reading)
    }

    /// What one request's memory for another attempt may be let grow to.
    private static let longestBuffer: Int64 = 1 << 30

    fileprivate enum Key {
        static let bufferLimit = FieldKey("bufferLimit")
        static let connectTimeout = FieldKey("connectTimeout")
        static let connection = FieldKey("connection")
        static let connectionIdleTimeout = FieldKey("connectionIdleTimeout")
        static let connectionKeepalive = FieldKey("connectionKeepalive")
        static let http = FieldKey("http")
        static let http2 = FieldKey("http2")
        static let idleInterval = FieldKey("idleInterval")
        static let idleTime = FieldKey("idleTime")
        static let initialConnectionWindowSize = FieldKey("initialConnectionWindowSize")
        static let initialStreamWindowSize = FieldKey("initialStreamWindowSize")
        static let interval = FieldKey("interval")
        static let intervalJitter = FieldKey("intervalJitter")
        static let maxConcurrentStreams = FieldKey("maxConcurrentStreams")
        static let maxConnectionDuration = FieldKey("maxConnectionDuration")
        static let onInvalidMessage = FieldKey("onInvalidMessage")
        static let preconnect = FieldKey("preconnect")
        static let probes = FieldKey("probes")
        static let socketBufferLimit = FieldKey("socketBufferLimit")
        static let tcp = FieldKey("tcp")
        static let tcpKeepalive = FieldKey("tcpKeepalive")
        static let timeout = FieldKey("timeout")
        static let useClientProtocol = FieldKey("useClientProtocol")
    }
}

extension HTTP2SettingsPlan {
    /// RFC 9113, section 6.9.2.
    private static let windows = 65_535...Int64(Int32.max)

    fileprivate mutating func read(_ node: PolicyNode, _ reading: inout PolicyReading) {
        typealias Key = UpstreamConnectionPlan.Key
        initialStreamWindowSize = reading.octets(node[Key.initialStreamWindowSize], Self.windows) ?? 0
        initialConnectionWindowSize = reading.octets(node[Key.initialConnectionWindowSize], Self.windows) ?? 0
        maxConcurrentStreams = UInt32(clamping: node[Key.maxConcurrentStreams].integer ?? 0)
        let invalid = node[Key.onInvalidMessage]
        switch invalid.string {
        case "TerminateConnection": endsConnectionOnInvalidMessage = true
        case nil: endsConnectionOnInvalidMessage = node.exists
        case "TerminateStream": break
        case let other?: reading.refuse(invalid, "'\(other)' is neither TerminateConnection nor TerminateStream")
        }
        let keepalive = node[Key.connectionKeepalive]
        pingInterval = reading.duration(keepalive[Key.interval]) ?? .zero
        pingTimeout = reading.duration(keepalive[Key.timeout]) ?? .zero
        pingIdleInterval = reading.duration(keepalive[Key.idleInterval]) ?? .zero
        pingJitterPercent = UInt32(clamping: keepalive[Key.intervalJitter].integer ?? 15)
    }
}
