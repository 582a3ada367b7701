/// Manifests of tests that change them: Gateways, routes and Services by the piece.
enum Site {
    /// - Parameter listeners: name and port.
    static func gateway(_ listeners: [(String, UInt16)], name: String = "front", address: String = "127.0.0.1")
        -> String
    {
        """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: \(name)}
        spec:
          gatewayClassName: sluice
          addresses: [{type: IPAddress, value: \(address)}]
          listeners:

        """ + listeners.map { "  - {name: \($0.0), protocol: HTTP, port: \($0.1)}\n" }.joined()
    }

    static func route(_ name: String = "shop", to service: String, prefix: String = "/", gateway: String = "front")
        -> String
    {
        """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: \(name)}
        spec:
          parentRefs: [{name: \(gateway)}]
          rules:
          - matches: [{path: {type: PathPrefix, value: \(prefix)}}]
            backendRefs: [{name: \(service), port: 80}]

        """
    }

    static func service(_ name: String, port: UInt16) -> String {
        """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: \(name)}
        spec: {ports: [{port: 80}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(name)-1, labels: {kubernetes.io/service-name: \(name)}}
        addressType: IPv4
        ports: [{port: \(port)}]
        endpoints: [{addresses: [127.0.0.1]}]

        """
    }

    /// One listener, one route, one backend.
    static func simple(port: UInt16, backend: UInt16) -> String {
        gateway([("http", port)]) + route(to: "shop") + service("shop", port: backend)
    }
}
