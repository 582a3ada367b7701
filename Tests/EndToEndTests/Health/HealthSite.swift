import Support

/// One Service with several endpoints on 127.0.0.1, under a policy.
struct HealthSite {
    /// An endpoint of the Service: its port, and what its slice says of it.
    struct Place {
        var port: UInt16
        var conditions = ""
        init(_ port: UInt16, conditions: String = "") {
            self.port = port
            self.conditions = conditions
        }
    }

    var port: UInt16
    /// Of `spec.healthCheck`, in flow style.
    var healthCheck: String
    /// More lines of `spec`.
    var more = ""
    /// More lines of the rule.
    var rule = ""
    var places: [Place]

    var text: String {
        var text = Manifests.gateway(ports: [port]) + Manifests.route(to: "backend", rule: rule)
        text += """
            apiVersion: gateway.envoyproxy.io/v1alpha1
            kind: BackendTrafficPolicy
            metadata: {name: health, namespace: default}
            spec:
              targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}]
              healthCheck: \(healthCheck)
              \(more)
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: backend, namespace: default}
            spec: {ports: [{name: http, port: 80}]}
            ---

            """
        for (number, place) in places.enumerated() {
            text += """
                apiVersion: discovery.k8s.io/v1
                kind: EndpointSlice
                metadata: {name: backend-\(number), namespace: default, labels: {kubernetes.io/service-name: backend}}
                addressType: IPv4
                ports: [{name: http, port: \(place.port)}]
                endpoints: [{addresses: [127.0.0.1]\(place.conditions.isEmpty ? "" : ", conditions: \(place.conditions)")}]
                ---

                """
        }
        return text
    }

    var manifests: [String: String] { ["gateway.yaml": text] }
}

extension Gateway {
    /// What `/api/backends` says of the endpoint on a port, from its address to the end of its record.
    func endpoint(_ port: UInt16) throws -> String {
        let text = try admin("/api/backends").text
        guard let start = text.ranges(of: "\"address\":\"127.0.0.1:\(port)\"").first?.lowerBound else { return "" }
        return String(text[start...].prefix { $0 != "}" })
    }

    func waitFor(_ port: UInt16, toBe health: String) throws {
        var last = ""
        try Wait.until("\(port) to be \(health); it is \(last); \(output)") {
            last = try endpoint(port)
            return last.contains("\"health\":\"\(health)\"")
        }
    }
}
