import Core
import Testing

@testable import Manifest

@Suite struct Nodes {
    static let route = """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata:
          name: shop
          labels: {team: a, empty: ""}
        spec:
          hostnames: [a.example.com, b.example.com]
          rules:
          - backendRefs:
            - name: v1
              port: 8e1
          - matches:
            - path: {value: /x}
              method:
            timeouts: {request: 1m30s}
        """

    @Test func fieldsItemsAndTheirPlaces() throws {
        let set = read(Self.route)
        #expect(set.findings.isEmpty)
        let root = try #require(set.documents.first).root
        #expect(root["spec"]["hostnames"].items.map { $0.text.string } == ["a.example.com", "b.example.com"])
        let backend = root["spec"]["rules"][0]["backendRefs"][0]
        #expect(backend["port"].int == 80)
        #expect(backend["port"].path == "spec.rules[0].backendRefs[0].port")
        #expect(backend["port"].location == SourceLocation(file: "t.yaml", line: 11, column: 13))
        #expect(backend["port"].keyLocation.column == 7)
        #expect(root["spec"]["rules"][1]["timeouts"]["request"].duration == .seconds(90))
        #expect(
            root["metadata"]["labels"].fields.map { "\($0.name.string)=\($0.value.text.string)" } == [
                "team=a", "empty=",
            ])
        #expect(root["spec"]["rules"].count == 2)
    }

    @Test func defaultsAreThereWithoutHavingBeenWritten() throws {
        let set = read(Self.route)
        let rules = try #require(set.documents.first).root["spec"]["rules"]
        let backend = rules[0]["backendRefs"][0]
        #expect(backend["kind"].string == "Service" && backend["kind"].isDefault)
        #expect(backend["weight"].int == 1)
        // A default within a default, and a default beside what is written.
        #expect(rules[0]["matches"].count == 1)
        #expect(rules[0]["matches"][0]["path"]["type"].equals("PathPrefix"))
        #expect(rules[1]["matches"][0]["path"]["type"].equals("PathPrefix"))
        #expect(rules[1]["matches"][0]["path"]["value"].equals("/x"))
        // Of what was not written, the place is that of the object around it.
        #expect(rules[0]["matches"][0]["path"].path == "spec.rules[0]")
        #expect(backend["kind"].line == 10)
    }

    @Test func whatIsAbsentIsAbsentAllTheWayDown() throws {
        let set = read(Self.route)
        let root = try #require(set.documents.first).root
        let absent = root["spec"]["rules"][7]["backendRefs"]["nothing"]
        #expect(!absent.exists && absent.count == 0 && absent.string == nil && absent.text.isEmpty)
        #expect(absent.items.map(\.count) == [])
        // Null counts as absent.
        #expect(!root["spec"]["rules"][1]["matches"][0]["method"].exists)
        #expect(root["spec"]["rules"][1]["matches"][0].fields.map(\.name.string) == ["path"])
    }

    @Test func mergeKeysAndAliases() {
        let set = read(
            """
            apiVersion: v1
            kind: ConfigMap
            metadata: &m {name: a, labels: {x: "1"}}
            data:
              <<: [{p: one, q: two}, {q: no, r: three}]
              q: mine
            ---
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: b
              labels: &l {x: "1"}
              annotations: *l
            """)
        #expect(set.findings.isEmpty, "\(set.findings)")
        let data = set.documents[0].root["data"].fields.map { "\($0.name.string)=\($0.value.text.string)" }
        #expect(data.sorted() == ["p=one", "q=mine", "r=three"])
        #expect(set.documents[1].root["metadata"]["annotations"]["x"].string == "1")
    }

    @Test func textOfSeveralLinesAndEscapes() {
        let set = read(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    x\n    y\n  b: \"\\u00e9\\ud83e\\udd8a\"\n  c: 'it''s'\n"
                .replacing("\\ud83e\\udd8a", with: "\\U0001F98A"))
        let data = set.documents[0].root["data"]
        #expect(data["a"].string == "x\ny\n" && data["b"].string == "é🦊" && data["c"].string == "it's")
        let json = read(
            #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"b":"\ud83e\udd8a\/"}}"#)
        #expect(json.documents[0].root["data"]["b"].string == "🦊/")
    }
}
