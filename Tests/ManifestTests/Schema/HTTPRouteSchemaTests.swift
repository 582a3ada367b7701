import Testing

@testable import Manifest

/// One row a rule: the manifest, the path that is told, and words of the message. No path: it is well-formed.
struct SchemaCase: CustomTestStringConvertible, Sendable {
    let text: String
    let path: String?
    let words: String
    var testDescription: String {
        text.split(separator: "\n").dropFirst(4).joined(separator: " ") + " → \(path ?? "taken")"
    }

    static func refused(_ text: String, _ path: String, _ words: String = "") -> SchemaCase {
        SchemaCase(text: text, path: path, words: words)
    }
    static func taken(_ text: String) -> SchemaCase { SchemaCase(text: text, path: nil, words: "") }

    func verify() {
        let set = read(text)
        let malformed = set.findings.filter { $0.kind == .malformed }
        guard let path else {
            #expect(malformed.isEmpty && set.documents.count == 1, "\(malformed)")
            return
        }
        #expect(malformed.contains { $0.path == path && $0.message.contains(words) }, "\(malformed)")
        #expect(malformed.allSatisfy { $0.resource?.name == "a" })
        #expect(set.documents.isEmpty)
    }
}

@Suite struct HTTPRouteSchemaRules {
    static func path(_ type: String, _ value: String) -> String {
        route(rule: "matches: [{path: {type: \(type), value: \"\(value)\"}}]")
    }
    static let at = "spec.rules[0].matches[0].path"
    static let matches64 =
        "matches: [" + Array(repeating: "{path: {value: /}}", count: 64).joined(separator: ", ") + "]"
    static func names(_ count: Int) -> String { (0..<count).map { "{name: h\($0), value: a}" }.joined(separator: ", ") }

    static let cases: [SchemaCase] = [
        .taken(manifest("HTTPRoute", "hostnames: [a.b, '*.a.b']")),
        .taken(manifest("HTTPRoute", "rules:\n- {}", version: "v1beta1")),
        .refused(
            manifest("HTTPRoute", "{}", version: "v1alpha2"), "apiVersion", "write 'gateway.networking.k8s.io/v1'"),
        // Fields
        .refused(manifest("HTTPRoute", "hostname: [a]"), "spec", "did you mean 'hostnames'?"),
        .refused(manifest("HTTPRoute", "Rules: []"), "spec", "did you mean 'rules'?"),
        .refused(route(rule: "backendRefs: [{name: a, prot: 80}]"), "spec.rules[0].backendRefs[0]", "'port'"),
        .refused(route(rule: "backendRefs: [{port: 80}]"), "spec.rules[0].backendRefs[0].name", "is missing"),
        .refused(route(rule: "backendRefs: [{name: , port: 80}]"), "spec.rules[0].backendRefs[0].name", "is missing"),
        // Types, and null
        .refused(manifest("HTTPRoute", "hostnames: a"), "spec.hostnames", "must be a list"),
        .refused(manifest("HTTPRoute", "hostnames: [12]"), "spec.hostnames[0]", "put quotes around '12'"),
        .refused(manifest("HTTPRoute", "hostnames: [yes]"), "spec.hostnames[0]", "a boolean"),
        .refused(manifest("HTTPRoute", "hostnames: [null]"), "spec.hostnames[0]", "null"),
        .refused(
            route(rule: "backendRefs: [{name: a, port: '80'}]"), "spec.rules[0].backendRefs[0].port", "leave the quotes"
        ),
        .refused(
            route(rule: "backendRefs: [{name: a, port: 80.5}]"), "spec.rules[0].backendRefs[0].port", "whole number"),
        .taken(route(rule: "backendRefs: [{name: a, port: 80.0, weight: }]")),
        .taken(manifest("HTTPRoute", "hostnames:\nrules:")),
        .refused(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec:\n", "spec",
            "is missing"),
        // Bounds
        .refused(manifest("HTTPRoute", "rules: []"), "spec.rules", "must not be empty"),
        .refused(manifest("HTTPRoute", "hostnames: ['']"), "spec.hostnames[0]", "must not be empty"),
        .refused(
            manifest("HTTPRoute", "hostnames: [" + Array(repeating: "a", count: 17).joined(separator: ",") + "]"),
            "spec.hostnames", "17 items"),
        .refused(
            route(rule: "backendRefs: [{name: a, port: 65536}]"), "spec.rules[0].backendRefs[0].port", "1 to 65535"),
        .refused(route(rule: "backendRefs: [{name: a, port: 1, weight: -1}]"), "spec.rules[0].backendRefs[0].weight"),
        .refused(
            route(rule: "backendRefs: [{name: a, port: 1, weight: 1000001}]"), "spec.rules[0].backendRefs[0].weight"),
        .taken(path("RegularExpression", String(repeating: "é", count: 1024))),
        .refused(path("RegularExpression", String(repeating: "é", count: 1025)), at + ".value", "1025 characters"),
        .refused(route(rule: "retry: {codes: [399]}"), "spec.rules[0].retry.codes[0]"),
        .refused(route(rule: "retry: {codes: [500, 500]}"), "spec.rules[0].retry.codes[1]", "'500' stands in item 0"),
        .refused(route(rule: "matches: [{headers: [\(names(17))]}]"), "spec.rules[0].matches[0].headers", "17 items"),
        .taken(manifest("HTTPRoute", "rules:\n- {\(matches64)}\n- {\(matches64)}")),
        .refused(
            manifest("HTTPRoute", "rules:\n- {\(matches64)}\n- {\(matches64)}\n- {}"), "spec.rules",
            "at most 128; it is 129"),
        // Formats and choices
        .refused(manifest("HTTPRoute", "hostnames: [A.b]"), "spec.hostnames[0]", "host name"),
        .refused(manifest("HTTPRoute", "hostnames: ['*a.b']"), "spec.hostnames[0]", "host name"),
        .refused(route(rule: "name: A"), "spec.rules[0].name", "DNS name"),
        .refused(route(rule: "matches: [{method: get}]"), "spec.rules[0].matches[0].method", "did you mean 'GET'?"),
        .refused(route(rule: "matches: [{method: PURGE}]"), "spec.rules[0].matches[0].method", "or 'PATCH'"),
        .refused(
            route(rule: "matches: [{headers: [{name: 'a b', value: c}]}]"), "spec.rules[0].matches[0].headers[0].name"),
        .refused(
            route(rule: "matches: [{headers: [{name: a, value: 'b  c'}]}]"), "spec.rules[0].matches[0].headers[0].value"
        ),
        .taken(route(rule: "matches: [{queryParams: [{name: a, value: 'b  c'}]}]")),
        .refused(route(rule: "timeouts: {request: 10}"), "spec.rules[0].timeouts.request", "must be a string"),
        .refused(route(rule: "timeouts: {request: 10x}"), "spec.rules[0].timeouts.request", "a duration"),
        // Lists that are maps
        .refused(
            route(rule: "matches: [{headers: [{name: a, value: b}, {name: a, value: c}]}]"),
            "spec.rules[0].matches[0].headers[1]", "the name 'a'"),
        .taken(route(rule: "matches: [{headers: [{name: a, value: b}, {name: A, value: c}]}]")),
        // Paths
        .refused(path("PathPrefix", "a"), at + ".value", "start with '/'"),
        .refused(path("Exact", "/a//b"), at + ".value", "'//'"),
        .refused(path("Exact", "/a/./b"), at + ".value", "'/./'"),
        .refused(path("Exact", "/a/../b"), at + ".value", "'/../'"),
        .refused(path("Exact", "/a/.."), at + ".value", "end with '/..'"),
        .refused(path("Exact", "/a/."), at + ".value", "end with '/.'"),
        .refused(path("Exact", "/a%2fb"), at + ".value", "'%2f'"),
        .refused(path("Exact", "/a%2Fb"), at + ".value", "'%2F'"),
        .refused(path("Exact", "/a#b"), at + ".value", "'#'"),
        .refused(path("Exact", "/a b"), at + ".value", "valid characters"),
        .refused(path("Exact", "/a%zz"), at + ".value", "valid characters"),
        .taken(path("RegularExpression", "a//b/../#.*")),
        .taken(path("Exact", "/a%20b/@c;d=e")),
        .refused(path("Regex", "/a"), at + ".type", "not a supported value"),
        // Rules of a rule
        .refused(
            manifest("HTTPRoute", "rules:\n- {name: x}\n- {}\n- {name: x}"), "spec.rules[2].name",
            "unique within the route"),
        .refused(
            route(rule: "backendRefs: [{name: a}]"), "spec.rules[0].backendRefs[0].port", "Service must have port"),
        .taken(route(rule: "backendRefs: [{name: a, kind: Backend, group: b.c}]")),
        .refused(
            route(rule: "filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: a, port: 1}]"),
            "spec.rules[0].filters[0]", "together with backendRefs"),
        .refused(
            route(
                rule:
                    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}], matches: [{path: {type: Exact, value: /a}}]"
            ), "spec.rules[0].filters[0].urlRewrite.path", "exactly one PathPrefix match"),
        .taken(
            route(
                rule:
                    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]"
            )),
        .refused(
            route(
                rule:
                    "backendRefs: [{name: a, port: 1, filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}], matches: [{}, {}]"
            ), "spec.rules[0].backendRefs[0].filters[0].requestRedirect.path", "within backendRefs"),
        .refused(
            route(rule: "timeouts: {request: 1s, backendRequest: 2s}"), "spec.rules[0].timeouts.backendRequest",
            "cannot be longer"),
        .taken(route(rule: "timeouts: {request: 0s, backendRequest: 2s}")),
        .refused(
            route(rule: "sessionPersistence: {type: Header}"), "spec.rules[0].sessionPersistence.header",
            "must be specified"),
        .refused(
            route(rule: "sessionPersistence: {cookie: {lifetimeType: Permanent}}"),
            "spec.rules[0].sessionPersistence.absoluteTimeout"),
        // Parents
        .refused(manifest("HTTPRoute", "parentRefs: [{name: a}, {name: a}]"), "spec.parentRefs[1]", "must be unique"),
        .refused(
            manifest("HTTPRoute", "parentRefs: [{name: a}, {name: a, port: 80}]"), "spec.parentRefs[1]",
            "must be specified"),
        .taken(
            manifest("HTTPRoute", "parentRefs: [{name: a, port: 80}, {name: a, port: 81}, {name: a, namespace: b}]")),
        .refused(
            manifest("HTTPRoute", "parentRefs: [{name: a, sectionName: b}, {name: a, port: 80}]"), "spec.parentRefs[1]"),
    ]

    @Test(arguments: cases) func each(_ row: SchemaCase) { row.verify() }
}

@Suite struct HTTPRouteFilterRules {
    static let at = "spec.rules[0].filters[0]"
    static func both(_ a: String, _ b: String) -> String { route(rule: "filters: [{\(a)}, {\(b)}]") }
    static let set = "type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}"
    static func cors(_ field: String) -> String { route(filter: "type: CORS, cors: {\(field)}") }
    static func mirror(_ more: String) -> String {
        route(filter: "type: RequestMirror, requestMirror: {backendRef: {name: a, port: 80}, \(more)}")
    }

    static let cases: [SchemaCase] = [
        .taken(route(filter: set)),
        .refused(route(filter: "type: RequestHeaderModifier"), at + ".requestHeaderModifier", "must be specified"),
        .refused(route(filter: set + ", urlRewrite: {}"), at + ".urlRewrite", "must be nil"),
        .refused(route(filter: "type: requestHeaderModifier"), at + ".type", "did you mean 'RequestHeaderModifier'?"),
        .refused(both(set, set), "spec.rules[0].filters[1]", "cannot be repeated"),
        .refused(
            both("type: URLRewrite, urlRewrite: {}", "type: RequestRedirect, requestRedirect: {}"),
            "spec.rules[0].filters[0]", "not both"),
        .taken(
            both(
                "type: RequestMirror, requestMirror: {backendRef: {name: a, port: 1}}",
                "type: RequestMirror, requestMirror: {backendRef: {name: b, port: 1}}")),
        .refused(
            route(filter: "type: RequestHeaderModifier, requestHeaderModifier: {remove: [a, a]}"),
            at + ".requestHeaderModifier.remove[1]", "the value 'a'"),
        .refused(
            route(filter: "type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: a, value: ''}]}"),
            at + ".requestHeaderModifier.add[0].value", "must not be empty"),
        .refused(
            route(filter: "type: RequestRedirect, requestRedirect: {statusCode: 304}"),
            at + ".requestRedirect.statusCode", "'308'"),
        .taken(route(filter: "type: RequestRedirect, requestRedirect: {statusCode: 308}")),
        .refused(
            route(filter: "type: RequestRedirect, requestRedirect: {hostname: '*.a'}"), at + ".requestRedirect.hostname"
        ),
        .refused(
            route(filter: "type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath}}"),
            at + ".requestRedirect.path.replaceFullPath"),
        .refused(
            route(
                filter:
                    "type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /, replacePrefixMatch: /}}"
            ), at + ".urlRewrite.path.replacePrefixMatch"),
        .refused(mirror("percent: 1, fraction: {numerator: 1}"), at + ".requestMirror.fraction", "only one"),
        .refused(mirror("percent: 101"), at + ".requestMirror.percent"),
        .refused(
            mirror("fraction: {numerator: 101}"), at + ".requestMirror.fraction.numerator", "101 is more than 100"),
        .refused(mirror("fraction: {numerator: 1, denominator: 0}"), at + ".requestMirror.fraction.denominator"),
        .taken(mirror("fraction: {numerator: 3, denominator: 3}")),
        .refused(cors("allowOrigins: ['*', 'http://a']"), at + ".cors.allowOrigins[0]", "alongside"),
        .refused(cors("allowMethods: [GET, '*']"), at + ".cors.allowMethods[1]", "alongside"),
        .refused(cors("allowHeaders: [a, a]"), at + ".cors.allowHeaders[1]"),
        .refused(cors("allowOrigins: ['a.b']"), at + ".cors.allowOrigins[0]", "an origin"),
        .refused(cors("allowOrigins: ['http://a..b']"), at + ".cors.allowOrigins[0]"),
        .refused(cors("maxAge: 0"), at + ".cors.maxAge", "1 is the least"),
        .taken(cors("allowOrigins: ['https://*.a.b:8443', 'http://*'], allowCredentials: true")),
        .refused(
            route(filter: "type: ExternalAuth, externalAuth: {protocol: GRPC, backendRef: {name: a, port: 1}}"),
            at + ".externalAuth.grpc"),
        .refused(
            route(filter: "type: ExtensionRef, extensionRef: {group: a, kind: b}"), at + ".extensionRef.name",
            "is missing"),
        .refused(
            route(rule: "backendRefs: [{name: a, port: 1, filters: [{type: CORS}]}]"),
            "spec.rules[0].backendRefs[0].filters[0].cors"),
    ]

    @Test(arguments: cases) func each(_ row: SchemaCase) { row.verify() }
}
