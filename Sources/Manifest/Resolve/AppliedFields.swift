import Core

/// Which fields of Envoy Gateway's kinds have an effect. What a resource sets beside them loads, changes nothing, and is
/// told in a warning where it is written, so that nobody relies on it.
enum AppliedFields {
    /// Paths below `spec`, each with all that is under it; they pass through lists (`endpoints.fqdn`). Whoever makes a
    /// field work writes it down here, and nowhere else. Nil for kinds that are not asked.
    static func paths(of kind: ResourceKind) -> [StaticString]? {
        switch kind {
        case .backend:
            [
                "type", "endpoints.fqdn", "endpoints.ip", "endpoints.unix", "endpoints.hostname", "endpoints.zone",
                "fallback",
                "appProtocols",
                "tls.minVersion", "tls.maxVersion", "tls.ciphers", "tls.ecdhCurves", "tls.signatureAlgorithms",
                "tls.alpnProtocols", "tls.sni", "tls.autoSNIFromEndpointHostname",
                "tls.insecureSkipVerify", "tls.caCertificateRefs", "tls.wellKnownCACertificates",
                "tls.clientCertificateRef",
            ]
        case .clientTrafficPolicy:
            [
                "tls.minVersion", "tls.maxVersion", "tls.ciphers", "tls.ecdhCurves", "tls.signatureAlgorithms",
                "tls.alpnProtocols", "tls.clientValidation", "tls.session.resumption.stateless", "proxyProtocol",
                "enableProxyProtocol", "tcpKeepalive", "clientIPDetection", "path", "headers", "timeout", "connection",
                "http1", "http2", "healthCheck", "scheme", "grpc",
            ]
        case .backendTrafficPolicy:
            [
                "proxyProtocol", "loadBalancer", "circuitBreaker", "dns", "healthCheck", "rateLimit", "bandwidthLimit", "admissionControl", "retry",
                "timeout", "connection", "tcpKeepalive", "http2", "useClientProtocol",
                "faultInjection", "responseOverride", "compression", "compressor", "requestBuffer", "httpUpgrade.type",
            ]
        case .httpRouteFilter: ["matches", "directResponse", "urlRewrite", "credentialInjection"]
        default: nil
        }
    }

    /// What says where a policy applies, or how, and nothing by itself.
    private static let attachment: [StaticString] = ["targetRef", "targetRefs", "targetSelectors", "mergeType"]

    static func warn(_ index: ResourceIndex, findings: inout FindingLog) {
        for resource in index.resources where !resource.isReplaced {
            guard let applied = paths(of: resource.kind) else { continue }
            if applied.isEmpty {
                findings.warning(resource, resource.node[.kind], nothing(of: resource.kind))
                continue
            }
            for field in unapplied(resource.node[.spec], applied: (applied + attachment).map(\.description)) {
                findings.warning(
                    resource, field.value,
                    "this version does not apply \(field.path) of a \(resource.kind.name); it has no effect")
            }
        }
    }

    private static func nothing(of kind: ResourceKind) -> String {
        "this version does not apply resources of the kind \(kind.name); it has no effect"
    }

    /// The fields under `object` that are not among `applied`, each at the outermost place below which nothing is.
    /// - Parameter prefix: the path of `object`, with a dot behind it when it is not empty.
    static func unapplied(
        _ object: WrittenNode, applied: [String], prefix: String = ""
    ) -> [(path: String, value: WrittenNode)] {
        var found: [(path: String, value: WrittenNode)] = []
        for (name, value) in object.fields {
            let path = prefix + name.string
            if applied.contains(path) { continue }
            let within = path + "."
            guard applied.contains(where: { $0.hasPrefix(within) }) else {
                found.append((path, value))
                continue
            }
            if value.kind == .list {
                for item in value.items { found += unapplied(item, applied: applied, prefix: within) }
            } else {
                found += unapplied(value, applied: applied, prefix: within)
            }
        }
        return found
    }
}
