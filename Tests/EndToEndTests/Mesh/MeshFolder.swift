import Core
import Support

/// Certificates of a mesh as `sluice cert` makes them, in a folder of one test.
struct MeshFolder {
    let folder: TemporaryFolder
    var path: String { folder.path }

    init() throws {
        folder = try TemporaryFolder()
        try Self.cert(["ca", "--out", path + "/ca"])
    }

    /// Runs `sluice cert`; a failure is the test's.
    @discardableResult
    static func cert(_ words: [String]) throws -> String {
        let output = try TemporaryFolder()
        let program = try Program(Program.built("sluice"), ["cert"] + words, output: output.path + "/output")
        guard case .exited(code: 0) = try program.waitForEnd() else {
            throw TimedOut("sluice cert \(words.joined(separator: " ")): \(program.output)")
        }
        return program.output
    }

    /// A workload's certificate in a folder of its own, called by the account.
    @discardableResult
    func workload(_ account: String, namespace: String = "shop", ca: String = "ca", in folder: String? = nil) throws
        -> [String]
    {
        let out = path + "/" + (folder ?? account)
        try Self.cert([
            "workload", "--namespace", namespace, "--service-account", account, "--ca", path + "/" + ca, "--out", out,
            "--replace",
        ])
        return ["--cert", out + "/tls.crt", "--key", out + "/tls.key", "--ca", out + "/ca.crt"]
    }

    /// The annotations that give a Gateway the certificate in a folder.
    func annotations(_ folder: String) -> String {
        "sluice.dev/cert-file: \(path)/\(folder)/tls.crt, sluice.dev/key-file: \(path)/\(folder)/tls.key, "
            + "sluice.dev/ca-file: \(path)/\(folder)/ca.crt"
    }

    /// A Service with one endpoint on this machine.
    static func service(
        _ name: String, port: UInt16, annotations: String = "", labels: String = "", appProtocol: String = "http"
    ) -> String {
        """
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: shop, labels: {\(labels)}, annotations: {\(annotations)}}
        spec: {ports: [{port: 80, targetPort: \(port), appProtocol: \(appProtocol)}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(name)-1, namespace: shop, labels: {kubernetes.io/service-name: \(name)}}
        addressType: IPv4
        ports: [{port: \(port)}]
        endpoints: [{addresses: [127.0.0.1]}]

        """
    }

    /// A Gateway whose one listener speaks HBONE, for the Services labelled with its name.
    func waypoint(_ port: UInt16, certificate: String = "waypoint") -> String {
        """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: waypoint, namespace: shop, annotations: {\(annotations(certificate))}}
        spec:
          gatewayClassName: istio-waypoint
          addresses: [{type: IPAddress, value: 127.0.0.1}]
          listeners: [{name: mesh, port: \(port), protocol: HBONE}]

        """
    }

    /// A Gateway that takes HTTP and sends everything to one Service of this namespace.
    func front(_ port: UInt16, to service: String) -> String {
        """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: front, namespace: shop, annotations: {\(annotations("front"))}}
        spec:
          gatewayClassName: sluice
          addresses: [{type: IPAddress, value: 127.0.0.1}]
          listeners: [{name: http, port: \(port), protocol: HTTP}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: all, namespace: shop}
        spec:
          parentRefs: [{name: front}]
          rules: [{backendRefs: [{name: \(service), port: 80}]}]

        """
    }
}
