import Testing

@testable import Manifest

@Suite struct GatewaySchemaRules {
    static let http = "name: h, port: 80, protocol: HTTP"
    static func addresses(_ list: String) -> String { gateway(http, more: "addresses: [\(list)]") }
    static func labels(_ key: String, _ value: String) -> String {
        gateway(http, more: "infrastructure: {labels: {\(key): \(value)}}")
    }

    static let cases: [SchemaCase] = [
        .taken(gateway(http)),
        .refused(manifest("Gateway", "listeners: [{\(http)}]"), "spec.gatewayClassName", "is missing"),
        .refused(manifest("Gateway", "gatewayClassName: a\nlisteners: []"), "spec.listeners", "must not be empty"),
        .refused(gateway("name: h, port: 0, protocol: HTTP"), "spec.listeners[0].port"),
        .refused(gateway("name: H, port: 1, protocol: HTTP"), "spec.listeners[0].name", "a DNS name"),
        .refused(gateway("name: h, port: 1, protocol: -x"), "spec.listeners[0].protocol", "a protocol"),
        .taken(gateway("name: h, port: 1, protocol: a.b/own")),
        .refused(gateway(http, "name: h, port: 81, protocol: HTTP"), "spec.listeners[1]", "the name 'h'"),
        .refused(
            gateway(http, "name: i, port: 80, protocol: HTTP"), "spec.listeners[1]",
            "combination of port, protocol and hostname"),
        .taken(gateway(http, "name: i, port: 80, protocol: HTTP, hostname: a.b")),
        .refused(gateway(http + ", tls: {options: {a: b}}"), "spec.listeners[0].tls", "HTTP"),
        .refused(
            gateway("name: h, port: 1, protocol: HTTPS, tls: {mode: Passthrough}"), "spec.listeners[0].tls.mode",
            "Terminate"),
        .refused(gateway("name: h, port: 1, protocol: TLS"), "spec.listeners[0].tls", "must be set"),
        .taken(gateway("name: h, port: 1, protocol: TLS, tls: {mode: Passthrough}")),
        .refused(
            gateway("name: h, port: 1, protocol: HTTPS, tls: {}"), "spec.listeners[0].tls.certificateRefs",
            "certificateRefs or options"),
        .taken(gateway("name: h, port: 1, protocol: HTTPS, tls: {certificateRefs: [{name: a}]}")),
        .refused(gateway("name: h, port: 1, protocol: TCP, hostname: a"), "spec.listeners[0].hostname", "TCP"),
        .refused(
            gateway(http + ", allowedRoutes: {namespaces: {from: None}}"),
            "spec.listeners[0].allowedRoutes.namespaces.from"),
        .taken(gateway(http, more: "allowedListeners: {namespaces: {from: None}}")),
        .refused(addresses("{value: a.b}"), "spec.addresses[0].value", "no IP address"),
        .refused(addresses("{value: 1.2.3.04}"), "spec.addresses[0].value"),
        .refused(addresses("{value: ''}"), "spec.addresses[0].value"),
        .taken(addresses("{value: '::1'}, {value: 1.2.3.4}, {}, {type: NamedAddress, value: x}")),
        .refused(addresses("{value: '::1'}, {value: '::1'}"), "spec.addresses[1].value", "must be unique"),
        .refused(addresses("{type: Hostname, value: A}"), "spec.addresses[0].value", "host name"),
        .refused(addresses("{type: nonsense}"), "spec.addresses[0].type", "an address type"),
        .refused(labels("-a", "b"), "spec.infrastructure.labels.-a"),
        .refused(labels("a", "'-'"), "spec.infrastructure.labels.a", "a label's value"),
        .taken(labels("example.com/a", "b_c")),
        .refused(
            gateway(http, more: "tls: {frontend: {perPort: [{port: 1, tls: {}}]}}"), "spec.tls.frontend.default",
            "is missing"),
        .refused(
            gateway(http, more: "tls: {frontend: {default: {}, perPort: [{port: 1, tls: {}}, {port: 1, tls: {}}]}}"),
            "spec.tls.frontend.perPort[1]", "the port '1'"),
    ]

    @Test(arguments: cases) func each(_ row: SchemaCase) { row.verify() }
}

@Suite struct SmallSchemaRules {
    static let backend = "backendRefs: [{name: a, port: 1}]"
    static func policy(_ validation: String) -> String {
        manifest("BackendTLSPolicy", "targetRefs: [{group: '', kind: Service, name: a}]\nvalidation: {\(validation)}")
    }
    static func method(_ method: String) -> String {
        manifest("GRPCRoute", "rules: [{matches: [{method: {\(method)}}]}]")
    }

    static let cases: [SchemaCase] = [
        .taken(manifest("GatewayClass", "controllerName: sluice.dev/gateway-controller")),
        .refused(manifest("GatewayClass", "controllerName: sluice"), "spec.controllerName", "a controller's name"),
        .refused(
            manifest("GatewayClass", "controllerName: a.b/c\ndescription: \(String(repeating: "x", count: 65))"),
            "spec.description"),
        .taken(
            manifest(
                "ReferenceGrant", "from: [{group: '', kind: A, namespace: b}]\nto: [{group: '', kind: C}]",
                version: "v1beta1")),
        .refused(manifest("ReferenceGrant", "from: []\nto: [{group: '', kind: C}]"), "spec.from"),
        .refused(
            manifest("ReferenceGrant", "from: [{group: '', kind: A}]\nto: [{group: '', kind: C}]"),
            "spec.from[0].namespace"),
        .refused(manifest("TCPRoute", "rules: [{\(backend)}, {\(backend)}]"), "spec.rules", "2 items"),
        .taken(manifest("TCPRoute", "rules: [{\(backend)}, {\(backend)}]", version: "v1alpha2")),
        .refused(manifest("UDPRoute", "rules: [{}]"), "spec.rules[0].backendRefs", "is missing"),
        .refused(manifest("TLSRoute", "rules: [{\(backend)}]"), "spec.hostnames", "is missing"),
        .refused(
            manifest("TLSRoute", "hostnames: [1.2.3.4]\nrules: [{\(backend)}]"), "spec.hostnames[0]", "IP address"),
        .refused(
            manifest("ListenerSet", "listeners: [{name: a, port: 1, protocol: TLS}]\nparentRef: {name: a}"),
            "spec.listeners[0].tls"),
        .refused(method("service: 'a b'"), "spec.rules[0].matches[0].method.service"),
        .refused(method("method: a.b"), "spec.rules[0].matches[0].method.method"),
        .refused(method(""), "spec.rules[0].matches[0].method", "one or both"),
        .taken(method("service: a.b_c.D, method: e1")),
        .taken(method("type: RegularExpression, service: 'a.*'")),
        .refused(policy("hostname: a"), "spec.validation", "either"),
        .refused(
            policy(
                "hostname: a, wellKnownCACertificates: System, caCertificateRefs: [{group: '', kind: ConfigMap, name: a}]"
            ), "spec.validation.wellKnownCACertificates", "both"),
        .refused(policy("hostname: a, wellKnownCACertificates: system"), "spec.validation.wellKnownCACertificates"),
        .refused(
            policy("hostname: a, wellKnownCACertificates: System, subjectAltNames: [{type: URI, hostname: a}]"),
            "spec.validation.subjectAltNames[0].uri"),
        .refused(
            policy("hostname: a, wellKnownCACertificates: System, subjectAltNames: [{type: URI, uri: a:b}]"),
            "spec.validation.subjectAltNames[0].uri", "absolute URI"),
        .taken(
            policy("hostname: a, wellKnownCACertificates: a.b/c, subjectAltNames: [{type: URI, uri: 'spiffe://a/b'}]")),
    ]

    @Test(arguments: cases) func each(_ row: SchemaCase) { row.verify() }
}
