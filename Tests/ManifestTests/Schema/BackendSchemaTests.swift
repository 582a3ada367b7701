import Testing

@testable import Manifest

@Suite struct BackendSchemaRules {
    static func backend(_ spec: String) -> String { envoyGateway("Backend", spec) }
    static func endpoint(_ endpoint: String) -> String { backend("endpoints: [{\(endpoint)}]") }
    static func ip(_ address: String) -> String { endpoint("ip: {address: '\(address)', port: 1}") }
    static func name(_ name: String) -> String { endpoint("fqdn: {hostname: '\(name)', port: 1}") }
    static func tls(_ tls: String) -> String {
        backend("endpoints: [{fqdn: {hostname: a, port: 1}}], tls: {\(tls)}")
    }

    static let endpoints: [SchemaCase] = [
        .taken(backend("")),
        .taken(ip("10.0.0.1")),
        .taken(backend("type: DynamicResolver")),
        .taken(endpoint("unix: {path: /run/a}, zone: b, hostname: c.d")),
        .refused(backend("type: Static"), "spec.type", "not a supported value"),
        .refused(backend("endpoints: []"), "spec.endpoints", "must not be empty"),
        .refused(backend("type: DynamicResolver, endpoints: [{unix: {path: a}}]"), "spec.endpoints", "DynamicResolver"),
        .refused(endpoint("zone: a"), "spec.endpoints[0]", "one of fqdn, ip or unix"),
        .refused(endpoint("unix: {path: a}, ip: {address: 1.2.3.4, port: 1}"), "spec.endpoints[0].unix", "only one of"),
        .refused(
            backend("endpoints: [{fqdn: {hostname: a, port: 1}}, {unix: {path: a}}]"), "spec.endpoints[1]",
            "cannot be mixed"),
        .taken(backend("endpoints: [{ip: {address: 1.2.3.4, port: 0}}, {unix: {path: a}}]")),
        .taken(endpoint("unix: {path: \(String(repeating: "ä", count: 108))}")),
        .refused(
            endpoint("unix: {path: \(String(repeating: "a", count: 109))}"), "spec.endpoints[0].unix.path",
            "109 characters"),
        .refused(endpoint("ip: {address: 1.2.3.4, port: 65536}"), "spec.endpoints[0].ip.port"),
        .refused(endpoint("ip: {address: 1.2.3.4}"), "spec.endpoints[0].ip.port", "is missing"),
        .refused(backend("appProtocols: [h2c]"), "spec.appProtocols[0]"),
        .refused(
            backend(
                "endpoints: ["
                    + Array(repeating: "{unix: {path: a}}", count: 257).joined(separator: ",") + "]"),
            "spec.endpoints", "257 items"),
    ]

    static let names: [(String, Bool)] = [
        ("example.com", true), ("example.com.", true), ("a", true), ("a..b", false), (".", false), ("A.b", false),
        ("a_b", false), ("-a", false), ("*.a", false),
    ]

    static let addresses: [(String, Bool)] = [
        ("1.2.3.4", true), ("01.2.003.4", true), ("255.255.255.255", true), ("256.1.1.1", false), ("1.2.3", false),
        ("1.2.3.4.5", false), ("1.2.3.0004", false), ("2001:db8::1", true), ("2001:db8::1:2", true),
        ("2001:db8::1:2:3", false), ("a:b:c:d:e::1", true), ("a:b:c:d:e:f::1", false), ("1:2:3:4:5:6:7:8", true),
        ("1:2:3:4:5:6:7:8:9", false), ("fe80::", false), ("::1", false), (":12", true), ("1:2", true),
        ("12345:1", false),
        ("g:12", false), ("2001:db8::1%1", false), ("1.2.3.4:80", false), ("a::1::2", false),
    ]

    static let tlsCases: [SchemaCase] = [
        .taken(tls("wellKnownCACertificates: System, sni: a.b, minVersion: '1.2', ciphers: [x], maxVersion: '1.3'")),
        .refused(tls("wellKnownCACertificates: Mozilla"), "spec.tls.wellKnownCACertificates", "'System'"),
        .taken(tls("wellKnownCACertificates: a.b/c, caCertificateRefs: []")),
        .refused(
            tls("wellKnownCACertificates: System, caCertificateRefs: [{group: '', kind: Secret, name: a}]"),
            "spec.tls.wellKnownCACertificates", "must not contain both"),
        .taken(tls("insecureSkipVerify: true, sni: a")),
        .refused(
            tls("insecureSkipVerify: true, wellKnownCACertificates: System"), "spec.tls.wellKnownCACertificates",
            "insecureSkipVerify"),
        .refused(
            tls("insecureSkipVerify: true, caCertificateRefs: [{group: '', kind: Secret, name: a}]"),
            "spec.tls.caCertificateRefs", "insecureSkipVerify"),
        .refused(tls("sni: a, autoSNIFromEndpointHostname: true"), "spec.tls.sni", "mutually exclusive"),
        .taken(tls("sni: a, autoSNIFromEndpointHostname: false")),
        .refused(tls("minVersion: '1.3', ciphers: []"), "spec.tls.ciphers", "no effect"),
        .refused(tls("minVersion: '1.3', maxVersion: '1.2'"), "spec.tls.maxVersion", "smaller"),
        .refused(tls("maxVersion: '1.1'"), "spec.tls.maxVersion", "it is 1.2"),
        .taken(tls("minVersion: Auto, maxVersion: '1.0'")),
        .taken(tls("minVersion: '1.3', maxVersion: Auto")),
        .taken(tls("maxVersion: '1.2'")),
        .refused(tls("minVersion: 1.3"), "spec.tls.minVersion", "put quotes around"),
        .refused(tls("fingerprints: [JA5]"), "spec.tls.fingerprints[0]"),
        .refused(tls("clientCertificateRef: {kind: Secret}"), "spec.tls.clientCertificateRef.name", "is missing"),
        .refused(
            backend("type: DynamicResolver, tls: {autoSNIFromEndpointHostname: true}"),
            "spec.tls.autoSNIFromEndpointHostname", "DynamicResolver"),
        .refused(
            backend("tls: {autoSNIFromEndpointHostname: true}"), "spec.tls.autoSNIFromEndpointHostname",
            "spec.endpoints must be defined"),
        .refused(
            backend("endpoints: [{unix: {path: a}}], tls: {autoSNIFromEndpointHostname: true}"),
            "spec.endpoints[0].hostname", "must define a hostname"),
        .taken(backend("endpoints: [{unix: {path: a}, hostname: b}], tls: {autoSNIFromEndpointHostname: true}")),
    ]

    @Test(arguments: endpoints + tlsCases) func each(_ row: SchemaCase) { row.verify() }

    @Test(arguments: names) func aNameOfAnEndpoint(_ name: String, _ isTaken: Bool) {
        let row = Self.name(name)
        (isTaken ? SchemaCase.taken(row) : .refused(row, "spec.endpoints[0].fqdn.hostname", "a host name")).verify()
    }

    @Test(arguments: addresses) func anAddressOfAnEndpoint(_ address: String, _ isTaken: Bool) {
        let row = Self.ip(address)
        (isTaken ? SchemaCase.taken(row) : .refused(row, "spec.endpoints[0].ip.address", "an IP address")).verify()
    }
}

@Suite struct HTTPRouteFilterSchemaRules {
    static func filter(_ spec: String) -> String { envoyGateway("HTTPRouteFilter", spec) }
    static func body(_ body: String) -> String { filter("directResponse: {statusCode: 200, body: {\(body)}}") }
    static func hostname(_ hostname: String) -> String { filter("urlRewrite: {hostname: {\(hostname)}}") }
    static func path(_ path: String) -> String { filter("urlRewrite: {path: {\(path)}}") }

    static let cases: [SchemaCase] = [
        .taken(filter("")),
        .taken(filter("matches: [{cookies: [{name: a, value: b}]}]")),
        .refused(filter("matches: [{}]"), "spec.matches[0]", "must not be empty"),
        .refused(filter("matches: [{cookies: }]"), "spec.matches[0]", "must not be empty"),
        .refused(filter("matches: [{cookies: []}]"), "spec.matches[0].cookies", "must not be empty"),
        .refused(filter("matches: [{cookies: [{name: a}]}]"), "spec.matches[0].cookies[0].value", "is missing"),
        .taken(body("inline: hello")),
        .refused(body(""), "spec.directResponse.body.inline", "type Inline"),
        .refused(body("type: ValueRef, inline: a"), "spec.directResponse.body.valueRef", "type ValueRef"),
        .taken(body("type: ValueRef, valueRef: {group: '', kind: ConfigMap, name: a}")),
        .refused(
            body("type: ValueRef, valueRef: {group: '', kind: Secret, name: a}"),
            "spec.directResponse.body.valueRef.kind", "only ConfigMap"),
        .refused(body("type: Inlined, inline: a"), "spec.directResponse.body.type", "did you mean 'Inline'?"),
        .taken(filter("directResponse: {header: {remove: [], set: [{name: a, value: b}]}}")),
        .refused(
            filter("directResponse: {header: {remove: [a]}}"), "spec.directResponse.header.remove", "not supported"),
        .refused(
            filter("directResponse: {header: {add: [{name: a, value: b}, {name: a, value: c}]}}"),
            "spec.directResponse.header.add[1]", "the name 'a'"),
        .refused(
            filter("directResponse: {header: {add: [{name: 'a b', value: b}]}}"),
            "spec.directResponse.header.add[0].name", "a header name"),
        .taken(hostname("type: Backend")),
        .taken(hostname("type: Header, header: x")),
        .refused(hostname("type: Backend, header: x"), "spec.urlRewrite.hostname.header", "nil unless"),
        .refused(hostname("type: Header"), "spec.urlRewrite.hostname.header", "must be specified"),
        .refused(hostname("type: PathRegex"), "spec.urlRewrite.hostname.pathRegex", "must be specified"),
        .refused(
            hostname("type: Backend, pathRegex: {pattern: a, substitution: b}"), "spec.urlRewrite.hostname.pathRegex",
            "nil unless"),
        .refused(
            hostname("type: PathRegex, pathRegex: {pattern: a, substitution: \"b\\n\"}"),
            "spec.urlRewrite.hostname.pathRegex.substitution", "one line"),
        .taken(path("type: ReplaceRegexMatch, replaceRegexMatch: {pattern: a, substitution: \"b\\n\"}")),
        .refused(path("type: ReplaceRegexMatch"), "spec.urlRewrite.path.replaceRegexMatch", "must be specified"),
        .refused(path("type: ReplaceFullPath"), "spec.urlRewrite.path.type"),
        .refused(
            filter("credentialInjection: {credential: {}}"), "spec.credentialInjection.credential.valueRef",
            "is missing"),
        .taken(filter("credentialInjection: {credential: {valueRef: {name: a}}, header: b, overwrite: true}")),
    ]

    @Test(arguments: cases) func each(_ row: SchemaCase) { row.verify() }
}
