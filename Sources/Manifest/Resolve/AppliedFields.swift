import Core

/// Which fields of Envoy Gateway's kinds work. Whatever is not here is refused by name, unless ``FieldSupport`` says that it
/// does no harm.
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
                "proxyProtocol", "loadBalancer", "circuitBreaker", "dns", "healthCheck", "rateLimit", "bandwidthLimit",
                "admissionControl", "retry",
                "timeout", "connection", "tcpKeepalive", "http2", "useClientProtocol",
                "faultInjection", "responseOverride", "compression", "compressor", "requestBuffer", "httpUpgrade.type",
            ]
        case .httpRouteFilter: ["matches", "directResponse", "urlRewrite", "credentialInjection"]
        default: nil
        }
    }
}
