import Core
import Testing

@testable import Manifest

/// Two BackendTrafficPolicies that become one, as Envoy Gateway merges them.
@Suite struct MergedPolicies {
    /// Both policies' `spec`, on one line each, and what the merged one is read as.
    struct Case: Sendable {
        var near: String
        var far: String
        var json: String
        /// Where StrategicMerge comes to something else.
        var strategic: String?
    }

    static let cases: [Case] = [
        // Objects are merged field by field, scalars are the nearest's.
        Case(
            near: "timeout: {tcp: {connectTimeout: 1s}}",
            far: "timeout: {tcp: {connectTimeout: 2s}, http: {requestTimeout: 3s}}",
            json: "timeout:{tcp:{connectTimeout:1s},http:{requestTimeout:3s}}"),
        Case(
            near: "useClientProtocol: true", far: "routingType: Service",
            json: "useClientProtocol:true,routingType:Service"),
        // What the schema gives the nearer by default hides what the other one says.
        Case(
            near: "circuitBreaker: {maxConnections: 5}", far: "circuitBreaker: {maxPendingRequests: 6}",
            json: "circuitBreaker:{maxConnections:5}"),
        Case(
            near: "circuitBreaker: {maxConnections: 5}", far: "circuitBreaker: {maxRequestsPerConnection: 6}",
            json: "circuitBreaker:{maxConnections:5,maxRequestsPerConnection:6}"),
        Case(
            near: "useClientProtocol: true", far: "retry: {numRetries: 7}",
            json: "useClientProtocol:true,retry:{numRetries:7}"),
        // Lists are replaced.
        Case(
            near: "retry: {retryOn: {httpStatusCodes: [500]}}",
            far: "retry: {numRetries: 4, retryOn: {httpStatusCodes: [501, 502]}}",
            json: "retry:{retryOn:{httpStatusCodes:[500]}}"),
        // ... but those that have a merge key, where new entries come first unless the other's order knows them.
        Case(
            near: "httpUpgrade: [{type: spdy/3.1}]", far: "httpUpgrade: [{type: websocket}]",
            json: "httpUpgrade:[{type:spdy/3.1}]", strategic: "httpUpgrade:[{type:spdy/3.1},{type:websocket}]"),
        Case(
            near: "compressor: [{type: Zstd, zstd: {}}, {type: Gzip, minContentLength: 10}]",
            far: "compressor: [{type: Brotli, brotli: {}}, {type: Gzip, gzip: {}}]",
            json: "compressor:[{type:Zstd,zstd:{}},{type:Gzip,minContentLength:10}]",
            strategic:
                "compressor:[{type:Zstd,zstd:{}},{type:Brotli,brotli:{}},{type:Gzip,minContentLength:10,gzip:{}}]"),
        // Rate limits: of rules for everybody the nearest's count, rules for some are added.
        Case(
            near: "rateLimit: {local: {rules: [{limit: {requests: 1, unit: Hour}}]}}",
            far: "rateLimit: {local: {rules: [{limit: {requests: 2, unit: Hour}}, "
                + "{clientSelectors: [{headers: [{name: a}]}], limit: {requests: 3, unit: Hour}}]}}",
            json: "rateLimit:{local:{rules:[{limit:{requests:1,unit:Hour}},"
                + "{clientSelectors:[{headers:[{name:a}]}],limit:{requests:3,unit:Hour}}]}}"),
        Case(
            near:
                "rateLimit: {local: {rules: [{clientSelectors: [{headers: [{name: b}]}], limit: {requests: 1, unit: Hour}}]}}",
            far: "rateLimit: {local: {rules: [{limit: {requests: 2, unit: Hour}}, "
                + "{clientSelectors: [{headers: [{name: a}]}], limit: {requests: 3, unit: Hour}}]}}",
            json: "rateLimit:{local:{rules:[{clientSelectors:[{headers:[{name:b}]}],limit:{requests:1,unit:Hour}}]}}",
            strategic: "rateLimit:{local:{rules:[{clientSelectors:[{headers:[{name:b}]}],limit:{requests:1,unit:Hour}},"
                + "{clientSelectors:[{headers:[{name:a}]}],limit:{requests:3,unit:Hour}}]}}"),
        Case(
            near: "rateLimit: {global: {rules: [{limit: {requests: 1, unit: Hour}}]}}",
            far: "rateLimit: {global: {rules: [{limit: {requests: 2, unit: Hour}}]}}",
            json: "rateLimit:{global:{rules:[{limit:{requests:1,unit:Hour}}]}}",
            strategic: "rateLimit:{global:{rules:[{limit:{requests:1,unit:Hour}},{limit:{requests:2,unit:Hour}}]}}"),
        // The kinds that each policy means by its `type` hold together.
        Case(
            near: "rateLimit: {type: Local, local: {rules: []}, global: {rules: [{limit: {requests: 9, unit: Hour}}]}}",
            far: "rateLimit: {type: Global, global: {rules: [{limit: {requests: 2, unit: Hour}}]}}",
            json: "rateLimit:{local:{rules:[]},global:{rules:[{limit:{requests:2,unit:Hour}}]}}"),
    ]

    @Test(arguments: cases) func areReadAsOne(_ merge: Case) throws {
        let set = read(
            [merge.near, merge.far].map { spec in
                """
                apiVersion: gateway.envoyproxy.io/v1alpha1
                kind: BackendTrafficPolicy
                metadata: {name: a}
                spec: {targetRefs: [], \(spec)}

                """
            }.joined(separator: "---\n"))
        try #require(set.documents.count == 2)
        let layers = set.documents.enumerated().map { number, document in
            PolicyNode.Layer(node: WrittenNode(document.root)[.spec], policy: number)
        }
        let shape = Schema.shared.definition(of: .backendTrafficPolicy).specShape.map { UnsafePointer($0.table) }
        #expect(Self.text(PolicyNode(layers, PolicyMerge(.json, of: shape))) == merge.json)
        let strategic = Self.text(PolicyNode(layers, PolicyMerge(.strategic, of: shape)))
        #expect(strategic == merge.strategic ?? merge.json)
    }

    /// What a reader of fields sees, on one line.
    private static func text(_ node: PolicyNode) -> String {
        func write(_ node: PolicyNode) -> String {
            switch node.kind {
            case .object:
                "{" + fields(node).joined(separator: ",") + "}"
            case .list: "[" + node.items.map(write).joined(separator: ",") + "]"
            default: node.text.string.isEmpty ? "\(node.boolean ?? false)" : node.text.string
            }
        }
        /// By the names that the schema has, since the reader asks for those.
        func fields(_ node: PolicyNode) -> [String] {
            var seen: [String] = []
            var parts: [String] = []
            for layer in node.layers {
                for (name, _) in layer.node.fields where !seen.contains(name.string) && name.string != "targetRefs" {
                    seen.append(name.string)
                    guard let id = Schema.shared.names.find(name) else { continue }
                    let value = node[FieldKey(id: id)]
                    if value.exists { parts.append("\(name.string):\(write(value))") }
                }
            }
            return parts
        }
        return fields(node).joined(separator: ",")
    }
}
