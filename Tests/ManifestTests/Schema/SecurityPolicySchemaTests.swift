import Testing

@testable import Manifest

@Suite struct SecurityPolicySchemaRules {
    static func policy(_ spec: String) -> String {
        envoyGateway("SecurityPolicy", "targetRef: \(PolicyTargetRules.route), \(spec)")
    }
    static func extraction(_ item: String) -> String {
        policy("apiKeyAuth: {credentialRefs: [{name: a}], extractFrom: [{\(item)}]}")
    }

    static let credentials: [SchemaCase] = [
        .taken(extraction("headers: [a]")),
        .refused(extraction(""), "spec.apiKeyAuth.extractFrom[0]", "one of headers, params or cookies"),
        .refused(extraction("headers: [a], cookies: [b]"), "spec.apiKeyAuth.extractFrom[0].cookies", "only one of"),
        .refused(extraction("params: []"), "spec.apiKeyAuth.extractFrom[0].params", "must not be empty"),
        .refused(policy("basicAuth: {}"), "spec.basicAuth.users", "is missing"),
        .taken(policy("basicAuth: {users: {name: a}}, cors: {maxAge: 1h, allowMethods: ['*', GET]}")),
    ]

    static let origins: [(String, Bool)] = [
        ("*", true), ("https://*", true), ("https://*.a.b:8443", true), ("chrome-extension://a_b", true),
        ("a+b.c-d://x", true), ("http://a..b", false), ("http://a.", false), ("http://", false), ("1a://b", false),
        ("//a", false), ("a:b", false), ("http://a:123456", false), ("http://a.*", false), ("http://a/", false),
    ]

    @Test(arguments: origins) func anOrigin(_ origin: String, _ isTaken: Bool) {
        let rows = [
            (Self.policy("cors: {allowOrigins: ['\(origin)']}"), "spec.cors.allowOrigins[0]"),
            (Self.policy("csrf: {additionalOrigins: ['\(origin)']}"), "spec.csrf.additionalOrigins[0]"),
        ]
        for (text, path) in rows { (isTaken ? SchemaCase.taken(text) : .refused(text, path, "an origin")).verify() }
    }

    static func rule(_ rule: String, more: String = "") -> String {
        policy("authorization: {rules: [{action: Allow, \(rule)}]}" + more)
    }
    static func location(_ location: String) -> String { rule("principal: {clientIPGeoLocations: [{\(location)}]}") }
    static let rulePath = "spec.authorization.rules[0]"
    static let locationPath = "spec.authorization.rules[0].principal.clientIPGeoLocations[0]"
    static let providers = ", jwt: {providers: [{name: a, localJWKS: {inline: b}}]}"

    static let authorization: [SchemaCase] = [
        .taken(rule("cel: 'true'")),
        .taken(rule("principal: {clientCIDRs: [10.0.0.0/8]}, operation: {methods: [GET]}")),
        .refused(rule("name: a"), rulePath, "one of principal or cel"),
        .refused(rule("cel: a, operation: {}"), "\(rulePath).operation", "one of methods or path"),
        .refused(rule("principal: {}"), "\(rulePath).principal", "one of clientCIDRs"),
        .refused(rule("principal: {clientCIDRs: [10.0.0.0]}"), "\(rulePath).principal.clientCIDRs[0]", "a range"),
        .refused(
            rule("principal: {jwt: {provider: a}}", more: providers), "\(rulePath).principal.jwt", "claims or scopes"),
        .taken(rule("principal: {jwt: {provider: a, scopes: [b]}}", more: providers)),
        .refused(
            rule("principal: {jwt: {provider: a, scopes: [b]}}"), "\(rulePath).principal.jwt", "jwt must be defined"),
        .refused(location(""), locationPath, "one of country"),
        .taken(location("country: NL, region: NH, asn: 1, anonymous: {isTor: false}")),
        .refused(location("country: N1"), "\(locationPath).country", "two letters"),
        .refused(location("region: a_b"), "\(locationPath).region", "letters, digits"),
        .refused(location("anonymous: {}"), "\(locationPath).anonymous", "one of isAnonymous"),
        .refused(
            policy("authorization: {rules: [{action: allow, cel: a}]}"), "\(rulePath).action", "did you mean 'Allow'?"),
    ]

    static func external(_ spec: String) -> String { policy("extAuth: {\(spec)}") }
    static func grpc(_ reference: String) -> String { external("grpc: {backendRefs: [{\(reference)}]}") }
    static func contextExtension(_ value: String) -> String {
        external("http: {backendRef: {name: a, port: 1}}, contextExtensions: [{name: b, \(value)}]")
    }
    static let extensionPath = "spec.extAuth.contextExtensions[0]"

    static let externals: [SchemaCase] = [
        .taken(external("http: {backendRef: {name: a, port: 1}}, statusOnError: 503")),
        .taken(grpc("name: a, port: 1, weight: 0, fallback: true")),
        .refused(external("failOpen: true"), "spec.extAuth", "one of grpc or http"),
        .refused(
            external("http: {backendRef: {name: a, port: 1}}, grpc: {backendRef: {name: a, port: 1}}"),
            "spec.extAuth.http", "only one of"),
        .refused(external("http: {}"), "spec.extAuth.http.backendRefs", "needs to be set"),
        .refused(external("grpc: {backendRefs: []}"), "spec.extAuth.grpc.backendRefs", "needs to be set"),
        .refused(external("http: {backendRef: {name: a}}"), "spec.extAuth.http.backendRef.port", "must have port"),
        .refused(grpc("name: a"), "spec.extAuth.grpc.backendRefs[0].port", "must have port"),
        .refused(grpc("name: a, port: 1, kind: Pod"), "spec.extAuth.grpc.backendRefs[0].kind", "ServiceImport"),
        .refused(grpc("name: a, port: 1, group: a.b"), "spec.extAuth.grpc.backendRefs[0].group", "core group"),
        .taken(grpc("name: a, kind: Backend, group: gateway.envoyproxy.io")),
        .refused(
            external("http: {backendRef: {name: a, port: 1}, path: /a, pathOverride: /b}"),
            "spec.extAuth.http.pathOverride", "only one of"),
        .refused(
            external("http: {backendRef: {name: a, port: 1}}, statusOnError: 418"), "spec.extAuth.statusOnError",
            "not a supported value"),
        .refused(
            external(
                "http: {backendRef: {name: a, port: 1}, backendSettings: {connection: {preconnect: {predictivePercent: 100}}}}"
            ), "spec.extAuth.http.backendSettings.connection.preconnect.predictivePercent", "RoundRobin or Random"),
        .taken(contextExtension("value: c")),
        .refused(contextExtension("type: ValueRef, value: c"), "\(extensionPath).valueRef", "must be specified"),
        .refused(
            contextExtension("type: Value, valueRef: {group: '', kind: Secret, name: a, key: b}"),
            "\(extensionPath).valueRef", "nil unless"),
        .taken(contextExtension("type: ValueRef, valueRef: {group: '', kind: Secret, name: a, key: b}")),
        .refused(
            contextExtension("type: ValueRef, valueRef: {group: '', kind: Service, name: a, key: b}"),
            "\(extensionPath).valueRef.kind", "ConfigMap or a Secret"),
        .refused(
            contextExtension("type: ValueRef, valueRef: {group: a.b, kind: Secret, name: a, key: b}"),
            "\(extensionPath).valueRef.group", "core group"),
        .refused(
            external(
                "http: {backendRef: {name: a, port: 1}}, contextExtensions: [{name: b, value: c}, {name: b, value: d}]"),
            "spec.extAuth.contextExtensions[1]", "the name 'b'"),
    ]

    static func provider(_ spec: String) -> String { policy("jwt: {providers: [{name: a, \(spec)}]}") }
    static let providerPath = "spec.jwt.providers[0]"
    static let keys = "localJWKS: {inline: a}"

    static let tokens: [SchemaCase] = [
        .taken(provider("\(keys), recomputeRoute: true, claimToHeaders: [{claim: a, header: b}]")),
        .taken(provider("remoteJWKS: {uri: 'https://a.b/c', backendRefs: [{name: d, port: 1}]}")),
        .refused(policy("jwt: {providers: []}"), "spec.jwt.providers", "must not be empty"),
        .refused(
            policy("jwt: {optional: false, failOpen: false, providers: [{name: a, \(keys)}]}"), "spec.jwt.failOpen",
            "only one of"),
        .refused(provider("\(keys), recomputeRoute: true"), "\(providerPath).claimToHeaders", "recomputeRoute"),
        .refused(
            provider("\(keys), recomputeRoute: true, claimToHeaders: []"), "\(providerPath).claimToHeaders",
            "must be specified"),
        .refused(provider("issuer: a"), providerPath, "one of remoteJWKS or localJWKS"),
        .refused(provider("\(keys), remoteJWKS: {uri: a}"), "\(providerPath).localJWKS", "only one of"),
        .refused(provider("localJWKS: {}"), "\(providerPath).localJWKS.inline", "must be specified"),
        .refused(
            provider("localJWKS: {inline: a, valueRef: {group: '', kind: ConfigMap, name: a}}"),
            "\(providerPath).localJWKS.valueRef", "nil unless"),
        .refused(
            provider("localJWKS: {type: ValueRef, inline: a}"), "\(providerPath).localJWKS.valueRef",
            "must be specified"),
        .refused(
            provider("remoteJWKS: {uri: a, backendRef: {name: a, port: 1}}"), "\(providerPath).remoteJWKS.backendRef",
            "backendRefs must be used"),
        .refused(
            provider("remoteJWKS: {uri: a, backendSettings: {retry: {perRetry: {timeout: 1s}}}}"),
            "\(providerPath).remoteJWKS.backendSettings.retry.perRetry.timeout", "not supported"),
        .refused(
            provider("remoteJWKS: {uri: a, backendSettings: {retry: {retryOn: {httpStatusCodes: [500]}}}}"),
            "\(providerPath).remoteJWKS.backendSettings.retry.retryOn.httpStatusCodes", "not supported"),
    ]

    static func oidc(_ spec: String, provider: String = "issuer: a") -> String {
        policy("oidc: {provider: {\(provider)}, clientSecret: {name: b}, \(spec)}")
    }

    static let logins: [SchemaCase] = [
        .taken(oidc("clientID: a, forwardAccessToken: true, forwardIDToken: {header: x-id}, cookieDomain: a.b")),
        .refused(oidc("scopes: [a]"), "spec.oidc", "one of clientID or clientIDRef"),
        .refused(oidc("clientID: a, clientIDRef: {name: b}"), "spec.oidc.clientIDRef", "only one of"),
        .refused(
            oidc("clientID: a, forwardAccessToken: true, forwardIDToken: {header: AUTHORIZATION}"),
            "spec.oidc.forwardIDToken.header", "is Authorization"),
        .taken(oidc("clientID: a, forwardAccessToken: false, forwardIDToken: {header: authorization}")),
        .refused(
            oidc("clientID: a, forwardIDToken: {header: Host}"), "spec.oidc.forwardIDToken.header",
            "cannot be the Host header"),
        .refused(oidc("clientID: a, cookieDomain: .a"), "spec.oidc.cookieDomain", "a DNS name"),
        .refused(oidc("clientID: a, denyRedirect: {headers: []}"), "spec.oidc.denyRedirect.headers"),
        .refused(
            oidc("clientID: a", provider: "issuer: a, backendRef: {name: a, port: 1}"),
            "spec.oidc.provider.backendRef", "backendRefs must be used"),
        .refused(
            oidc("clientID: a", provider: "issuer: a, backendSettings: {retry: {perRetry: {timeout: 1s}}}"),
            "spec.oidc.provider.backendSettings.retry.perRetry.timeout", "not supported"),
        .refused(
            oidc(
                "clientID: a", provider: "issuer: a, backendSettings: {retry: {retryOn: {httpStatusCodes: [500]}}}"),
            "spec.oidc.provider.backendSettings.retry.retryOn.httpStatusCodes", "not supported"),
        .refused(oidc("clientID: a", provider: "tokenEndpoint: a"), "spec.oidc.provider.issuer", "is missing"),
    ]

    @Test(arguments: credentials + authorization) func each(_ row: SchemaCase) { row.verify() }
    @Test(arguments: externals) func extAuth(_ row: SchemaCase) { row.verify() }
    @Test(arguments: tokens) func jwt(_ row: SchemaCase) { row.verify() }
    @Test(arguments: logins) func oidc(_ row: SchemaCase) { row.verify() }
}
