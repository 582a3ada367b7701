import Core
import Support

/// The services that Gateway API's conformance tests of meshes use (`conformance/mesh/manifests.yaml`): `echo-v1` and
/// `echo-v2`, and `echo`, which has the endpoints of both; in the namespace `mesh`, with callers there and in `consumer`. One
/// gateway takes all calls by name.
final class Mesh {
    let gateway: Gateway
    let port: UInt16
    let v1: Backend
    let v2: Backend

    /// Where workloads are: 127.0.0.…
    static let v1Host: UInt8 = 2
    static let v2Host: UInt8 = 3
    /// A caller in `mesh`, and one in `consumer`.
    static let producer: UInt8 = 2
    static let consumer: UInt8 = 4
    /// A caller that nobody knows.
    static let stranger: UInt8 = 9

    /// The Services' own (clusterIP).
    static let addresses = ["echo": "10.96.1.1", "echo-v1": "10.96.1.2", "echo-v2": "10.96.1.3"]

    /// - Parameters:
    ///   - manifests: what a test is about.
    ///   - services: in place of the Services and endpoints.
    init(_ manifests: String, annotations: [String: String] = [:], options: [String] = []) throws {
        port = try Ports.free()
        v1 = try Backend("echo-v1", host: Self.v1Host)
        v2 = try Backend("echo-v2", host: Self.v2Host)
        gateway = try Gateway(
            Self.front(port: port, annotations) + Self.services(v1: v1.port, v2: v2.port) + manifests,
            options: options)
    }

    static func front(port: UInt16, _ annotations: [String: String] = [:]) -> String {
        let more = annotations.sorted { $0.key < $1.key }.map { ", \($0): '\($1)'" }.joined()
        return """
            apiVersion: v1
            kind: Namespace
            metadata: {name: mesh, labels: {sluice.dev/gateway: front, sluice.dev/gateway-namespace: mesh}}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front, namespace: mesh, annotations: {sluice.dev/group: by-name\(more)}}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]
              listeners:
              - {name: calls, protocol: HTTP, port: \(port), allowedRoutes: {namespaces: {from: All}}}
            ---

            """
    }

    private static func services(v1: UInt16, v2: UInt16) -> String {
        service("echo") + service("echo-v1") + service("echo-v2")
            + slice("echo", "a", host: v1Host, port: v1) + slice("echo", "b", host: v2Host, port: v2)
            + slice("echo-v1", "a", host: v1Host, port: v1) + slice("echo-v2", "a", host: v2Host, port: v2)
            + slice("caller", "a", host: consumer, port: 1, namespace: "consumer")
    }

    private static func service(_ name: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: mesh}
        spec:
          clusterIP: \(addresses[name] ?? "")
          ports:
          - {name: http, port: 80, appProtocol: http, targetPort: 8080}
          - {name: http-alt, port: 8080, appProtocol: http}
          - {name: https, port: 443, targetPort: 8443}
          - {name: tcp, port: 9090}
        ---

        """
    }

    static func slice(
        _ service: String, _ letter: String, host: UInt8, port: UInt16, namespace: String = "mesh"
    ) -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(service)-\(letter), namespace: \(namespace), labels: {kubernetes.io/service-name: \(service)}}
        addressType: IPv4
        ports:
        - {name: http, port: \(port)}
        - {name: http-alt, port: \(port)}
        endpoints:
        - {addresses: [127.0.0.\(host)], targetRef: {kind: Pod, name: \(service)-\(letter)}}
        ---

        """
    }

    /// A Service of `mesh` with one port.
    /// - Parameter endpoint: the port of its only endpoint, on 127.0.0.1; nil: it has none.
    static func service(_ name: String, _ portName: String, _ port: UInt16, endpoint: UInt16?) -> String {
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name), namespace: mesh}
            spec: {ports: [{name: \(portName), port: \(port)}]}
            ---

            """
        guard let endpoint else { return text }
        return text + """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: \(name), namespace: mesh, labels: {kubernetes.io/service-name: \(name)}}
            addressType: IPv4
            ports: [{name: \(portName), port: \(endpoint)}]
            endpoints: [{addresses: [127.0.0.1]}]
            ---

            """
    }

    /// A route whose parent is a Service of `mesh`.
    static func route(
        named name: String = "route", kind: String = "HTTPRoute", namespace: String = "mesh",
        to service: String = "echo",
        port: UInt16? = 80, _ spec: String
    ) -> String {
        let port = port.map { ", port: \($0)" } ?? ""
        let rest = spec.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
            .joined(separator: "\n")
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: \(kind)
            metadata: {name: \(name), namespace: \(namespace)}
            spec:
              parentRefs: [{group: "", kind: Service, namespace: mesh, name: \(service)\(port)}]
            \(rest)
            ---

            """
    }

    /// One call by name.
    func call(
        _ target: String = "/", host: String = "echo", _ fields: [(String, String)] = [], method: String = "GET",
        from caller: UInt8 = Mesh.producer
    ) throws -> Response {
        try Client(port: port, from: caller).request(method, target, host: host, fields: fields)
    }
}
