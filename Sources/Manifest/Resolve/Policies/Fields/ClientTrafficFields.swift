import Config
import Core
import HTTP

/// Reads ClientTrafficPolicy, but for TLS, the PROXY protocol and client certificates.
///
/// What a block that is written leaves out has Envoy Gateway's default; a block that is not there changes nothing of how
/// Sluice serves without a policy.
extension ClientTrafficPlan {
    init(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        connection.read(spec, &reading)
        request.read(spec, &reading)
        clientIP.read(spec[Key.clientIPDetection], &reading)
        earlyRequestHeaders.read(spec[.headers][Key.earlyRequestHeaders], &reading)
        lateResponseHeaders.read(spec[.headers][Key.lateResponseHeaders], &reading)
        for item in spec[Key.http1][Key.ignoredUpgradeTypes].items {
            guard let match = TextMatchPlan(item, &reading) else { continue }
            ignoredUpgradeTypes.append(match)
        }
        let path = spec[Key.healthCheck][.path]
        healthCheckPath = path.string ?? ""
        wantsDefaultHost = spec[Key.http1][Key.http10][Key.useDefaultHost].boolean ?? false
        if path.exists, !healthCheckPath.hasPrefix("/") {
            reading.refuse(path, "'\(healthCheckPath)' does not begin with '/'; write a path such as '/healthz'")
        }
    }

    /// The fields that are read here alone.
    fileprivate enum Key {
        static let addIfAbsent = FieldKey("addIfAbsent")
        static let bufferLimit = FieldKey("bufferLimit")
        static let clientIPDetection = FieldKey("clientIPDetection")
        static let closeDelay = FieldKey("closeDelay")
        static let connection = FieldKey("connection")
        static let connectionInspectionTimeout = FieldKey("connectionInspectionTimeout")
        static let connectionKeepalive = FieldKey("connectionKeepalive")
        static let connectionLimit = FieldKey("connectionLimit")
        static let customHeader = FieldKey("customHeader")
        static let disableMergeSlashes = FieldKey("disableMergeSlashes")
        static let disableRateLimitHeaders = FieldKey("disableRateLimitHeaders")
        static let disableSafeMaxConnectionDuration = FieldKey("disableSafeMaxConnectionDuration")
        static let disableXForwardedForAppend = FieldKey("disableXForwardedForAppend")
        static let earlyRequestHeaders = FieldKey("earlyRequestHeaders")
        static let enableEnvoyHeaders = FieldKey("enableEnvoyHeaders")
        static let enableTrailers = FieldKey("enableTrailers")
        static let enableWeb = FieldKey("enableWeb")
        static let escapedSlashesAction = FieldKey("escapedSlashesAction")
        static let failClosed = FieldKey("failClosed")
        static let grpc = FieldKey("grpc")
        static let healthCheck = FieldKey("healthCheck")
        static let host = FieldKey("host")
        static let http = FieldKey("http")
        static let http1 = FieldKey("http1")
        static let http2 = FieldKey("http2")
        static let idleInterval = FieldKey("idleInterval")
        static let idleTime = FieldKey("idleTime")
        static let idleTimeout = FieldKey("idleTimeout")
        static let ignoredUpgradeTypes = FieldKey("ignoredUpgradeTypes")
        static let initialConnectionWindowSize = FieldKey("initialConnectionWindowSize")
        static let initialStreamWindowSize = FieldKey("initialStreamWindowSize")
        static let interval = FieldKey("interval")
        static let intervalJitter = FieldKey("intervalJitter")
        static let lateResponseHeaders = FieldKey("lateResponseHeaders")
        static let maxAcceptPerSocketEvent = FieldKey("maxAcceptPerSocketEvent")
        static let maxConcurrentStreams = FieldKey("maxConcurrentStreams")
        static let maxConnectionDuration = FieldKey("maxConnectionDuration")
        static let maxRequestHeaderLimit = FieldKey("maxRequestHeaderLimit")
        static let maxRequestsPerConnection = FieldKey("maxRequestsPerConnection")
        static let maxStreamDuration = FieldKey("maxStreamDuration")
        static let numTrustedHops = FieldKey("numTrustedHops")
        static let onInvalidMessage = FieldKey("onInvalidMessage")
        static let preserveXRequestID = FieldKey("preserveXRequestID")
        static let probes = FieldKey("probes")
        static let removeOnMatch = FieldKey("removeOnMatch")
        static let requestHeadersReceivedTimeout = FieldKey("requestHeadersReceivedTimeout")
        static let requestID = FieldKey("requestID")
        static let requestReceivedTimeout = FieldKey("requestReceivedTimeout")
        static let resumption = FieldKey("resumption")
        static let session = FieldKey("session")
        static let stateless = FieldKey("stateless")
        static let useDefaultHost = FieldKey("useDefaultHost")
        static let http10 = FieldKey("http10")
        static let socketBufferLimit = FieldKey("socketBufferLimit")
        static let streamIdleTimeout = FieldKey("streamIdleTimeout")
        static let stripTrailingHostDot = FieldKey("stripTrailingHostDot")
        static let tcp = FieldKey("tcp")
        static let tcpKeepalive = FieldKey("tcpKeepalive")
        static let timeout = FieldKey("timeout")
        static let tlsHandshakeTimeout = FieldKey("tlsHandshakeTimeout")
        static let trustedCIDRs = FieldKey("trustedCIDRs")
        static let withUnderscoresAction = FieldKey("withUnderscoresAction")
        static let xForwardedFor = FieldKey("xForwardedFor")
    }
}

private typealias Key = ClientTrafficPlan.Key

// MARK: connections

extension ClientConnectionPlan {
    fileprivate mutating func read(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        let connection = spec[Key.connection]
        bufferLimit = reading.octets(connection[Key.bufferLimit], 1...Int64(UInt32.max)) ?? 0
        socketBufferLimit = reading.octets(connection[Key.socketBufferLimit], 1...Int64(Int32.max)) ?? 0
        if connection.exists {
            // The schema's default is 1.
            acceptsPerEvent = Int32(reading.count(connection[Key.maxAcceptPerSocketEvent]) ?? 1)
        }
        let limit = connection[Key.connectionLimit]
        connectionLimit = UInt32(clamping: limit[.value].integer ?? 0)
        closeDelay = reading.duration(limit[Key.closeDelay]) ?? .zero
        maxConnectionDuration = reading.duration(limit[Key.maxConnectionDuration]) ?? .zero
        maxRequestsPerConnection = UInt32(reading.count(limit[Key.maxRequestsPerConnection]) ?? 0)
        closesAtDuration = spec[Key.http1][Key.disableSafeMaxConnectionDuration].boolean ?? false

        let keepalive = spec[Key.tcpKeepalive]
        tcpKeepalive.isOn = keepalive.exists
        tcpKeepalive.probes = UInt32(reading.count(keepalive[Key.probes], upTo: 127) ?? 0)
        tcpKeepalive.idleTime = reading.seconds(keepalive[Key.idleTime], upTo: 32_767) ?? 0
        tcpKeepalive.interval = reading.seconds(keepalive[Key.interval], upTo: 32_767) ?? 0

        let http = spec[Key.timeout][Key.http]
        idleTimeout = reading.timeout(http[Key.idleTimeout])
        headersReceivedTimeout = reading.timeout(http[Key.requestHeadersReceivedTimeout])
        let tcp = spec[Key.timeout][Key.tcp]
        tcpIdleTimeout = reading.timeout(tcp[Key.idleTimeout])
        handshakeTimeout = reading.timeout(tcp[Key.tlsHandshakeTimeout])
        inspectionTimeout = reading.timeout(tcp[Key.connectionInspectionTimeout])

        readHeaderLimit(spec[.headers][Key.maxRequestHeaderLimit], &reading)
        // Envoy drops trailers of HTTP/1 unless it is told to pass them.
        if spec[Key.http1].exists { passesTrailers = spec[Key.http1][Key.enableTrailers].boolean ?? false }
        let session = spec[.tls][Key.session]
        forbidsResumption = session.exists && !session[Key.resumption][Key.stateless].exists
        if spec[Key.http2].exists { http2.read(spec[Key.http2], &reading) }
    }

    private mutating func readHeaderLimit(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard let octets: UInt32 = reading.octets(node, 1024...8192 * 1024) else { return }
        // Envoy counts in KiB.
        maxRequestHeader = (octets + 1023) / 1024 * 1024
    }
}

extension ClientHTTP2Plan {
    /// RFC 9113, section 6.9.2.
    private static let windows = 65_535...Int64(Int32.max)

    fileprivate mutating func read(_ http2: PolicyNode, _ reading: inout PolicyReading) {
        initialStreamWindowSize = reading.octets(http2[Key.initialStreamWindowSize], Self.windows) ?? 0
        initialConnectionWindowSize = reading.octets(http2[Key.initialConnectionWindowSize], Self.windows) ?? 0
        maxConcurrentStreams = UInt32(clamping: http2[Key.maxConcurrentStreams].integer ?? 0)
        let invalid = http2[Key.onInvalidMessage]
        switch invalid.string {
        case "TerminateConnection", nil: endsConnectionOnInvalidMessage = true
        case "TerminateStream": endsConnectionOnInvalidMessage = false
        case let other?:
            reading.refuse(invalid, "'\(other)' is neither TerminateConnection nor TerminateStream")
        }
        let keepalive = http2[Key.connectionKeepalive]
        keepaliveInterval = reading.duration(keepalive[Key.interval]) ?? .zero
        keepaliveTimeout = reading.duration(keepalive[Key.timeout]) ?? .zero
        keepaliveIdleInterval = reading.duration(keepalive[Key.idleInterval]) ?? .zero
        keepaliveJitter = UInt8(clamping: keepalive[Key.intervalJitter].integer ?? 15)
    }
}

// MARK: requests

extension ClientRequestPlan {
    fileprivate mutating func read(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        switch spec[.path][Key.escapedSlashesAction].string {
        case "KeepUnchanged": escapedSlashesAction = .keepUnchanged
        case "RejectRequest": escapedSlashesAction = .rejectRequest
        case "UnescapeAndForward": escapedSlashesAction = .unescapeAndForward
        default: escapedSlashesAction = .unescapeAndRedirect
        }
        mergesSlashes = spec[.path][Key.disableMergeSlashes].boolean != true
        if spec[.headers].exists { readHeaders(spec[.headers]) }
        switch spec[Key.grpc][Key.enableWeb].boolean {
        case true?: grpcWeb = .everywhere
        case false?: grpcWeb = .nowhere
        case nil: grpcWeb = .grpcRoutes
        }
        preservesScheme = spec[.scheme].string == "Preserve"
        let http = spec[Key.timeout][Key.http]
        receivedTimeout = reading.timeout(http[Key.requestReceivedTimeout])
        streamIdleTimeout = reading.timeout(http[Key.streamIdleTimeout])
        maxStreamDuration = reading.timeout(spec[Key.connection][Key.connectionLimit][Key.maxStreamDuration])
    }

    private mutating func readHeaders(_ headers: PolicyNode) {
        switch headers[Key.withUnderscoresAction].string {
        case "Allow": withUnderscoresAction = .allow
        case "DropHeader": withUnderscoresAction = .dropHeader
        default: withUnderscoresAction = .rejectRequest
        }
        switch headers[Key.requestID].string {
        case "PreserveOrGenerate": requestID = .preserveOrGenerate
        case "Preserve": requestID = .preserve
        case "Disable": requestID = .disable
        case "Generate": requestID = .generate
        default: requestID = headers[Key.preserveXRequestID].boolean == true ? .preserveOrGenerate : .generate
        }
        enablesEnvoyHeaders = headers[Key.enableEnvoyHeaders].boolean ?? false
        disablesRateLimitHeaders = headers[Key.disableRateLimitHeaders].boolean ?? false
        stripsTrailingHostDot = headers[Key.host][Key.stripTrailingHostDot].boolean ?? false
    }
}

extension ClientIPPlan {
    fileprivate mutating func read(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let forwarded = node[Key.xForwardedFor]
        if forwarded.exists {
            appendsForwardedFor = forwarded[Key.disableXForwardedForAppend].boolean != true
            if forwarded[Key.trustedCIDRs].exists {
                method = .trustedCIDRs
                for item in forwarded[Key.trustedCIDRs].items {
                    if let range = item.string.flatMap({ AddressRange($0) }) {
                        trustedCIDRs.append(range)
                    } else {
                        reading.refuse(item, "'\(item.string ?? "")' is no range of addresses such as '10.0.0.0/8'")
                    }
                }
            } else if let hops = reading.count(forwarded[Key.numTrustedHops]) {
                method = hops > 0 ? .trustedHops : .directSourceIP
                numTrustedHops = UInt32(hops)
            }
        } else if node[Key.customHeader].exists {
            method = .customHeader
            headerName = node[Key.customHeader][.name].string ?? ""
            failsClosed = node[Key.customHeader][Key.failClosed].boolean ?? false
        }
    }
}

// MARK: edits and matches

extension HeaderMutationPlan {
    fileprivate mutating func read(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let kinds: [(FieldKey, Kind)] = [(.add, .add), (.set, .set), (Key.addIfAbsent, .addIfAbsent)]
        for (key, kind) in kinds {
            for item in node[key].items {
                let name = item[.name].string ?? ""
                let value = item[.value].string ?? ""
                guard Self.mayBeEdited(name, item[.name], &reading) else { continue }
                if let why = Self.problem(ofValue: value) {
                    reading.refuse(item[.value], why)
                } else if name.withView({ $0.equalsIgnoringCase("host") }), value.withView({ Authority($0) }) == nil {
                    reading.refuse(item[.value], "'\(value)' is no host")
                } else {
                    additions.append(Addition(kind, name: name, value: value))
                }
            }
        }
        for item in node[.remove].items {
            let name = item.string ?? ""
            if Self.mayBeEdited(name, item, &reading) { removals.append(name) }
        }
        for item in node[Key.removeOnMatch].items {
            guard var match = TextMatchPlan(item, &reading) else { continue }
            if match.kind != .regularExpression { match.value = match.value.lowercased() }
            removalMatches.append(match)
        }
    }

    /// Fields on which the message's framing or its connection depends are the gateway's alone.
    private static func mayBeEdited(_ name: String, _ node: PolicyNode, _ reading: inout PolicyReading) -> Bool {
        let field = name.withView { FieldName($0) }
        guard name.withView({ FieldName.isLegal($0) }) else {
            reading.refuse(node, "'\(name)' is no name of a header field")
            return false
        }
        guard field.isOfFraming else { return true }
        reading.refuse(
            node, "'\(name)' belongs to the connection or to the message's framing, which the gateway writes")
        return false
    }

    /// RFC 9110, section 5.5.
    private static func problem(ofValue value: String) -> String? {
        let octets = Array(value.utf8)
        if octets.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }) {
            return "a field's value has no control octets, line ends included"
        }
        if let first = octets.first, let last = octets.last, ASCII.isBlank(first) || ASCII.isBlank(last) {
            return "a field's value neither begins nor ends with a blank"
        }
        return nil
    }
}

extension TextMatchPlan {
    /// Envoy Gateway's StringMatch; nil, with a problem told, when it is no regular expression.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let kind: Kind =
            switch node[.type].string {
            case "Prefix": .prefix
            case "Suffix": .suffix
            case "RegularExpression": .regularExpression
            default: .exact
            }
        let value = node[.value].string ?? ""
        if kind == .regularExpression, let why = RegularExpressions.problem(value) {
            reading.refuse(node[.value], "'\(value)' is no regular expression: \(why)")
            return nil
        }
        self.init(kind: kind, value: value)
    }
}
