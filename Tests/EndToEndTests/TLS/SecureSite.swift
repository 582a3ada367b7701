import Support

/// Sets of manifests in which TLS is spoken, by the piece. Routes and Services without more are ``Site``'s.
enum SecureSite {
    struct Listener {
        var name = "https"
        var port: UInt16
        var hostname: String?
        /// Names of Secrets.
        var secrets = ["site"]
        var isSecure = true
    }

    /// - Parameter tls: the lines below `spec.tls`, in flow style.
    static func gateway(_ listeners: [Listener], tls: String? = nil) -> String {
        var text = """
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: Gateway
            metadata: {name: front}
            spec:
              gatewayClassName: sluice
              addresses: [{type: IPAddress, value: 127.0.0.1}]

            """
        if let tls { text += "  tls: \(tls)\n" }
        text += "  listeners:\n"
        for listener in listeners {
            text += "  - {name: \(listener.name), port: \(listener.port)"
            text += ", protocol: \(listener.isSecure ? "HTTPS" : "HTTP")"
            if let hostname = listener.hostname { text += ", hostname: '\(hostname)'" }
            if listener.isSecure {
                let names = listener.secrets.map { "{name: \($0)}" }.joined(separator: ", ")
                text += ", tls: {certificateRefs: [\(names)]}"
            }
            text += "}\n"
        }
        return text
    }

    /// One HTTPS listener, one route, one backend.
    static func simple(port: UInt16, pair: TestCertificates.Pair, backend: UInt16, appProtocol: String? = nil) -> String
    {
        gateway([Listener(port: port)]) + secret("site", pair) + Site.route(to: "shop")
            + service("shop", port: backend, appProtocol: appProtocol)
    }

    static func secret(_ name: String, _ pair: TestCertificates.Pair) -> String {
        """
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: \(name)}
        type: kubernetes.io/tls
        stringData:
          tls.crt: |
        \(indented(pair.chain))
          tls.key: |
        \(indented(pair.key))

        """
    }

    static func authorities(_ name: String, _ pem: String) -> String {
        """
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: \(name)}
        data:
          ca.crt: |
        \(indented(pem))

        """
    }

    private static func indented(_ pem: String) -> String {
        pem.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n")
    }

    /// - Parameter appProtocol: as `kubernetes.io/h2c`.
    static func service(_ name: String, port: UInt16, appProtocol: String? = nil) -> String {
        let more = appProtocol.map { ", appProtocol: \($0)" } ?? ""
        return Site.service(name, port: port).replacing("ports: [{port: 80}]", with: "ports: [{port: 80\(more)}]")
    }

    /// A route for one hostname of one listener.
    static func route(_ name: String, to service: String, hostname: String, listener: String) -> String {
        """
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: \(name)}
        spec:
          parentRefs: [{name: front, sectionName: \(listener)}]
          hostnames: ['\(hostname)']
          rules:
          - backendRefs: [{name: \(service), port: 80}]

        """
    }

    /// - Parameter names: `subjectAltNames`.
    static func backendTLS(
        _ service: String, authorities: String, hostname: String, names: [String] = []
    ) -> String {
        var text = """
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: BackendTLSPolicy
            metadata: {name: \(service)}
            spec:
              targetRefs: [{group: '', kind: Service, name: \(service)}]
              validation:
                hostname: \(hostname)
                caCertificateRefs: [{group: '', kind: ConfigMap, name: \(authorities)}]

            """
        if !names.isEmpty {
            let list = names.map { "{type: Hostname, hostname: \($0)}" }.joined(separator: ", ")
            text += "    subjectAltNames: [\(list)]\n"
        }
        return text
    }
}

/// What clients need of TLS: an authority's certificate, and perhaps pairs, in files. Removed with it.
struct TrustFolder {
    let folder: TemporaryFolder
    var ca: String { folder.path + "/ca.pem" }

    init(_ authority: TestCertificates.Authority? = nil) throws {
        folder = try TemporaryFolder()
        try folder.write("ca.pem", try (authority ?? TestCertificates.authority()).certificate)
    }

    /// The words with which curl shows the pair.
    func curlWords(_ pair: TestCertificates.Pair) throws -> [String] {
        ["--cert", try folder.write("client.pem", pair.chain), "--key", try folder.write("client.key", pair.key)]
    }
}

/// One request by curl.
struct Curl {
    var status: Int
    /// `1.1` or `2`.
    var version: String
    /// Head and body of what came, and what curl had to say.
    var text: String
    /// curl's own; 0 is success.
    var code: UInt8?

    /// - Parameter host: the name that is asked for, which is looked for on 127.0.0.1.
    init(
        _ host: String, _ port: UInt16, _ path: String = "/", trust: TrustFolder? = nil, _ words: [String] = []
    ) throws {
        let scheme = trust == nil ? "http" : "https"
        let outcome = try Clients.tool(
            "curl",
            ["--silent", "--show-error", "--include", "--max-time", "20", "--resolve", "\(host):\(port):127.0.0.1"]
                + (trust.map { ["--cacert", $0.ca] } ?? [])
                + ["--write-out", "\\ncurl-status %{http_code}\\ncurl-version %{http_version}\\n"] + words
                + ["\(scheme)://\(host):\(port)\(path)"])
        status = outcome.value("curl-status").flatMap { Int($0) } ?? 0
        version = outcome.value("curl-version") ?? ""
        text = outcome.output
        code = outcome.code
    }
}

/// One connection by `openssl s_client`, with one request on it.
struct OpenSSLClient {
    let output: String

    /// - Parameters:
    ///   - host: in SNI and Host; nil: no name is sent.
    ///   - words: more of `openssl s_client`.
    init(_ host: String?, _ port: UInt16, _ words: [String] = []) throws {
        let name = host.map { ["-servername", $0] } ?? ["-noservername"]
        // The connection is held until the server has closed it, so that tickets have come.
        let request = "printf 'GET / HTTP/1.1\\r\\nHost: \(host ?? "a")\\r\\nConnection: close\\r\\n\\r\\n'"
        output = try Clients.tool(
            "sh",
            [
                "-c", "\(request) | timeout 20 openssl s_client -ign_eof -connect 127.0.0.1:\(port) \"$@\" 2>&1", "sh",
            ] + name + words
        ).output
    }

    /// The common name of the certificate that was shown.
    var commonName: String? {
        let line = output.split(separator: "\n").first { $0.hasPrefix("subject=") }
        return line?.split(separator: "=").last.map { String($0).trimmingSpaces }
    }
    var isResumed: Bool { output.contains("\nReused, ") }
    var isNew: Bool { output.contains("\nNew, TLS") }
    var isAnswered: Bool { output.contains("HTTP/1.1 200") }
}

extension String {
    fileprivate var trimmingSpaces: String { String(drop { $0 == " " }) }
}
