import Testing

@testable import Manifest

/// What the three policies have in common.
@Suite struct PolicyTargetRules {
    static let gateway = "{group: gateway.networking.k8s.io, kind: Gateway, name: a}"
    static let route = "{group: gateway.networking.k8s.io, kind: HTTPRoute, name: a}"
    static let kinds = ["ClientTrafficPolicy", "BackendTrafficPolicy", "SecurityPolicy"]

    static func of(_ kind: String) -> [SchemaCase] {
        [
            .taken(envoyGateway(kind, "targetRef: \(gateway)")),
            .taken(envoyGateway(kind, "targetRefs: [\(gateway), \(gateway)]")),
            .taken(envoyGateway(kind, "targetSelectors: [{kind: Gateway, matchLabels: {a: b}}]")),
            .taken(
                envoyGateway(kind, "targetRef: \(gateway), targetRefs: [], targetSelectors: [{kind: Gateway}]")),
            .refused(envoyGateway(kind, ""), "spec.targetRefs", "must be used"),
            .refused(envoyGateway(kind, "targetSelectors: []"), "spec.targetRefs", "must be used"),
            .refused(
                envoyGateway(kind, "targetRef: \(gateway), targetRefs: [\(gateway)]"), "spec.targetRef", "either"),
            .refused(
                envoyGateway(kind, "targetRef: {group: '', kind: Gateway, name: a}"), "spec.targetRef.group",
                "gateway.networking.k8s.io"),
            .refused(
                envoyGateway(kind, "targetRefs: [{group: a.b, kind: Gateway, name: a}]"), "spec.targetRefs[0].group"),
            .refused(
                envoyGateway(kind, "targetRef: {group: gateway.networking.k8s.io, kind: Service, name: a}"),
                "spec.targetRef.kind", "Gateway, ListenerSet"),
            .refused(
                envoyGateway(kind, "targetRefs: [{group: gateway.networking.k8s.io, kind: Service, name: a}]"),
                "spec.targetRefs[0].kind", "Gateway, ListenerSet"),
            .refused(
                envoyGateway(kind, "targetSelectors: [{group: a.b, kind: Gateway}]"), "spec.targetSelectors[0].group",
                "group must be"),
            .refused(
                envoyGateway(kind, "targetSelectors: [{kind: Gateway, namespaces: {from: Selector}}]"),
                "spec.targetSelectors[0].namespaces.selector", "must be specified"),
            .taken(
                envoyGateway(
                    kind, "targetSelectors: [{kind: Gateway, namespaces: {from: Selector, selector: {}}}]")),
        ]
    }

    @Test(arguments: kinds) func each(_ kind: String) {
        for row in Self.of(kind) { row.verify() }
    }

    static let merging: [SchemaCase] = ["BackendTrafficPolicy", "SecurityPolicy"].flatMap { kind in
        [
            .taken(envoyGateway(kind, "targetRef: \(route), mergeType: StrategicMerge")),
            .refused(
                envoyGateway(kind, "targetRef: \(gateway), mergeType: StrategicMerge"), "spec.mergeType", "HTTPRoute"),
            .refused(envoyGateway(kind, "targetRefs: [\(gateway)], mergeType: JSONMerge"), "spec.mergeType"),
            .refused(
                envoyGateway(kind, "targetSelectors: [{kind: ListenerSet}], mergeType: JSONMerge"), "spec.mergeType",
                "ListenerSet"),
            .refused(envoyGateway(kind, "targetRef: \(route), mergeType: Replace"), "spec.mergeType", "not a valid"),
        ] as [SchemaCase]
    }

    @Test(arguments: merging) func mergeType(_ row: SchemaCase) { row.verify() }

    static let ofRoutes: [(kind: String, target: String, isTaken: Bool)] = [
        ("ClientTrafficPolicy", "HTTPRoute", false), ("BackendTrafficPolicy", "TLSRoute", true),
        ("BackendTrafficPolicy", "UDPRoute", true), ("SecurityPolicy", "TCPRoute", true),
        ("SecurityPolicy", "UDPRoute", false), ("SecurityPolicy", "TLSRoute", false),
    ]

    @Test(arguments: ofRoutes) func targetsOfRoutes(_ kind: String, _ target: String, _ isTaken: Bool) {
        let text = envoyGateway(kind, "targetRef: {group: gateway.networking.k8s.io, kind: \(target), name: a}")
        (isTaken ? SchemaCase.taken(text) : .refused(text, "spec.targetRef.kind", "can only have a target")).verify()
    }
}

@Suite struct ClientTrafficPolicySchemaRules {
    static func policy(_ spec: String) -> String {
        envoyGateway("ClientTrafficPolicy", "targetRef: \(PolicyTargetRules.gateway), \(spec)")
    }
    static func detection(_ spec: String) -> String { policy("clientIPDetection: {\(spec)}") }
    static func range(_ range: String) -> String { detection("xForwardedFor: {trustedCIDRs: ['\(range)']}") }
    static func limit(_ value: String) -> String { policy("connection: {bufferLimit: \(value)}") }
    static func keepalive(_ spec: String) -> String { policy("http2: {connectionKeepalive: {\(spec)}}") }

    static let cases: [SchemaCase] = [
        .taken(policy("enableProxyProtocol: true, proxyProtocol: {optional: true}, scheme: MatchBackend")),
        .refused(policy("proxyProtocl: {}"), "spec", "did you mean 'proxyProtocol'?"),
        .taken(detection("directSourceIP: {}")),
        .refused(detection(""), "spec.clientIPDetection", "one of xForwardedFor, customHeader or directSourceIP"),
        .refused(
            detection("directSourceIP: {}, customHeader: {name: a}"), "spec.clientIPDetection.directSourceIP",
            "only one of"),
        .refused(
            detection("customHeader: {name: a_b}"), "spec.clientIPDetection.customHeader.name", "letters, digits"),
        .refused(
            detection("xForwardedFor: {}"), "spec.clientIPDetection.xForwardedFor", "numTrustedHops or trustedCIDRs"),
        .refused(
            detection("xForwardedFor: {numTrustedHops: 1, trustedCIDRs: [1.2.3.0/24]}"),
            "spec.clientIPDetection.xForwardedFor.trustedCIDRs", "only one of"),
        .refused(
            detection("xForwardedFor: {trustedCIDRs: []}"), "spec.clientIPDetection.xForwardedFor.trustedCIDRs",
            "must not be empty"),
        .refused(
            policy("connection: {connectionLimit: {closeDelay: 1s}}"), "spec.connection.connectionLimit.closeDelay",
            "when value is set"),
        .taken(policy("connection: {connectionLimit: {closeDelay: 1s, value: 1}}")),
        .refused(
            policy("connection: {connectionLimit: {value: 0}}"), "spec.connection.connectionLimit.value",
            "1 is the least"),
        .refused(policy("tcpKeepalive: {idleTime: 1d}"), "spec.tcpKeepalive.idleTime", "a duration"),
        .refused(policy("tcpKeepalive: {probes: 2147483648}"), "spec.tcpKeepalive.probes", "2147483647 is the most"),
        .refused(
            policy("headers: {preserveXRequestID: true, requestID: Disable}"), "spec.headers.requestID", "only one of"),
        .refused(
            policy("headers: {xForwardedClientCert: {certDetailsToAdd: [Cert]}}"),
            "spec.headers.xForwardedClientCert.certDetailsToAdd", "AppendForward or SanitizeSet"),
        .refused(
            policy("headers: {xForwardedClientCert: {mode: Sanitize, certDetailsToAdd: [Cert]}}"),
            "spec.headers.xForwardedClientCert.certDetailsToAdd"),
        .taken(policy("headers: {xForwardedClientCert: {mode: SanitizeSet, certDetailsToAdd: [Cert, Cert]}}")),
        .taken(policy("headers: {earlyRequestHeaders: {addIfAbsent: [{name: a, value: ' b'}], remove: [a, b]}}")),
        .refused(
            policy("headers: {lateResponseHeaders: {remove: [a, a]}}"), "spec.headers.lateResponseHeaders.remove[1]",
            "the value 'a'"),
        .refused(
            policy("headers: {earlyRequestHeaders: {removeOnMatch: [{type: Regex, value: a}]}}"),
            "spec.headers.earlyRequestHeaders.removeOnMatch[0].type"),
        .refused(policy("path: {escapedSlashesAction: Keep}"), "spec.path.escapedSlashesAction"),
        .refused(policy("healthCheck: {}"), "spec.healthCheck.path", "is missing"),
        .taken(keepalive("interval: 10s, timeout: 9s")),
        .taken(keepalive("timeout: 9s")),
        .refused(
            keepalive("interval: 10s, timeout: 10000ms"), "spec.http2.connectionKeepalive.timeout",
            "less than interval"),
        .refused(keepalive("intervalJitter: 101"), "spec.http2.connectionKeepalive.intervalJitter"),
        .refused(policy("http2: {maxConcurrentStreams: 0}"), "spec.http2.maxConcurrentStreams"),
        .taken(policy("http3: {}, http1: {http10: {}}, grpc: {enableWeb: true}")),
        .refused(policy("http3: {a: b}"), "spec.http3", "no field is named 'a'"),
    ]

    static func tls(_ spec: String) -> String { policy("tls: {\(spec)}") }
    static func validation(_ spec: String) -> String { tls("clientValidation: {\(spec)}") }

    static let tlsCases: [SchemaCase] = [
        .taken(tls("minVersion: '1.2', ciphers: [a], alpnProtocols: [], session: {resumption: {stateless: {}}}")),
        .refused(tls("minVersion: '1.3', ciphers: [a]"), "spec.tls.ciphers", "no effect"),
        .refused(tls("minVersion: '1.2', maxVersion: '1.0'"), "spec.tls.maxVersion", "smaller"),
        .refused(tls("sni: a"), "spec.tls", "no field is named 'sni'"),
        .taken(validation("caCertificateRefs: [{name: a}], allowExpiredCertificate: true")),
        .taken(validation("mode: VerifyIfGiven, allowExpiredCertificate: true")),
        .taken(validation("mode: Request, allowExpiredCertificate: false")),
        .refused(
            validation("mode: RequireAny, allowExpiredCertificate: true"),
            "spec.tls.clientValidation.allowExpiredCertificate", "VerifyIfGiven or RequireAndVerify"),
        .refused(validation("crl: {refs: []}"), "spec.tls.clientValidation.crl.refs", "must not be empty"),
        .refused(
            validation("subjectAltNames: {otherNames: [{value: a}]}"),
            "spec.tls.clientValidation.subjectAltNames.otherNames[0].oid", "is missing"),
    ]

    @Test(arguments: cases + tlsCases) func each(_ row: SchemaCase) { row.verify() }

    static let ranges: [(String, Bool)] = [
        ("10.0.0.0/8", true), ("10.0.0.0", false), ("10.0.0.0/", false), ("10.0.0/8", false), ("x10.0.0.0/8y", true),
        ("999.0.0.0/8", true), ("9.256.0.0/8", false), ("a/b 1.2.3.4/5", true), ("2001:db8::/32", true), ("::/0", true),
        ("::1/128", true), ("1:2:3:4:5:6:7:8/64", true), ("1:2:3:4:5:6:7/64", false), ("12345:2:3:4:5:6:7:8/64", true),
        ("1:2:3:4:5:6:7:88888/64", false), ("::1:2:3:4:5:6:7/64", true), ("::1:2:3:4:5:6:7:8/64", true),
        ("fe80:%eth0/64", true), ("fe80::1%0/64", true), ("fe80::1:2:3:4%0/64", true), ("fe80:1%0/64", false),
        ("fe80::1:2:3:4:5%0/64", false), ("fe80::12345%0/64", false), ("::ffff:1.2.3.4/96", true), ("::%/1", false),
        ("/8", false), (":/8", false),
    ]

    @Test(arguments: ranges) func aRangeOfAddresses(_ range: String, _ isTaken: Bool) {
        let text = Self.range(range)
        (isTaken
            ? SchemaCase.taken(text)
            : .refused(text, "spec.clientIPDetection.xForwardedFor.trustedCIDRs[0]", "a range of addresses")).verify()
    }

    static let quantities: [(String, Bool)] = [
        ("0", true), ("-1", true), ("32768", true), ("'1'", true), ("10Mi", true), ("100k", true), ("1E", true),
        ("'0'", false), ("05Mi", false), ("1.5Mi", false), ("1m", false), ("1K", false), ("1MB", false), ("''", false),
        ("1.5", false), ("Mi", false),
    ]

    @Test(arguments: quantities) func aNumberOfOctets(_ value: String, _ isTaken: Bool) {
        let text = Self.limit(value)
        (isTaken ? SchemaCase.taken(text) : .refused(text, "spec.connection.bufferLimit")).verify()
    }
}
