import Core
import Testing

@testable import Manifest

@Suite struct ShownResources {
    static func json(_ text: String) -> String {
        let set = ManifestReader.read(files: [("t.yaml", Array(text.utf8))])
        #expect(set.findings == [])
        var json = JSONWriter()
        Resolver.resolve(set, now: "2026-01-01T00:00:00Z").writeResources(to: &json)
        return json.finish().view.string
    }

    @Test func areWrittenAsTheyStandWithGenerationAndNamespace() {
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: app, generation: 9, labels: {"a": "1"}, uid: null}
            spec: {ports: [{port: 0x50, name: "web"}]}
            status: {loadBalancer: {}}
            """
        let wanted = [
            #"[{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":80,"name":"web"}]},"metadata":"#,
            #"{"name":"app","labels":{"a":"1"},"namespace":"default","generation":1}}]"#,
        ]
        #expect(Self.json(text) == wanted.joined())
    }

    @Test func doNotShowSecrets() {
        let text = """
            apiVersion: v1
            kind: Secret
            metadata: {name: s, namespace: shop}
            stringData: {password: "very secret"}
            """
        let shown = Self.json(text)
        #expect(!shown.contains("very secret"))
        #expect(shown.contains(#""stringData":{"password":"(hidden)"}"#))
    }

    @Test func carryTheParentRefAsItIsMeant() {
        let text = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: shop}
            spec: {gatewayClassName: sluice, listeners: [{name: http, port: 80, protocol: HTTP}]}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: app, namespace: shop}
            spec: {parentRefs: [{name: front, sectionName: http, port: 80}]}
            """
        let wanted = [
            #""status":{"parents":[{"parentRef":{"group":"gateway.networking.k8s.io","kind":"Gateway","#,
            #""name":"front","sectionName":"http","port":80},"#,
            #""controllerName":"sluice.dev/gateway-controller","conditions":[{"type":"Accepted","#,
            #""status":"True","reason":"Accepted","message":"Route is accepted","observedGeneration":1,"#,
            #""lastTransitionTime":"2026-01-01T00:00:00Z"}"#,
        ]
        let shown = Self.json(text)
        #expect(shown.contains(wanted.joined()))
    }

    @Test func featuresAreSorted() {
        let names = SupportedFeatures.names.map(\.description)
        #expect(names == names.sorted())
        #expect(Set(names).count == names.count)
    }
}
