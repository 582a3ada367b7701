/// Small sets of manifests for tests of the running program; tests of routing write their own.
public enum Manifests {
    /// A Gateway on 127.0.0.1 with one listener for each port, and a route of everything to one backend.
    public static func simple(ports: [UInt16], backend: UInt16, rule: String = "") -> String {
        gateway(ports: ports) + route(to: "backend", rule: rule) + service("backend", port: backend)
    }

    public static func gateway(ports: [UInt16]) -> String {
        let listeners = ports.map { "  - {name: http-\($0), protocol: HTTP, port: \($0)}\n" }.joined()
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: gateway, namespace: default}
            spec:
              gatewayClassName: sluice
              addresses:
              - {type: IPAddress, value: 127.0.0.1}
              listeners:
            \(listeners)---

            """
    }

    /// - Parameter rule: more lines of the rule, in flow style: `timeouts: {request: 1s}`.
    public static func route(_ name: String = "route", to service: String, rule: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: \(name), namespace: default}
        spec:
          parentRefs:
          - {name: gateway}
          rules:
          - backendRefs:
            - {name: \(service), port: 80}
            \(rule)
        ---

        """
    }

    /// A Service with its endpoint on 127.0.0.1.
    public static func service(_ name: String, port: UInt16, protocol: String = "TCP") -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: default}
        spec:
          ports:
          - {name: http, port: 80, protocol: \(`protocol`)}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata:
          name: \(name)-1
          namespace: default
          labels: {kubernetes.io/service-name: \(name)}
        addressType: IPv4
        ports:
        - {name: http, port: \(port), protocol: \(`protocol`)}
        endpoints:
        - addresses: [127.0.0.1]
        ---

        """
    }
}
