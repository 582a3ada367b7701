extension KindDefinition {
    static let gatewayAPI: StaticString = "gateway.networking.k8s.io"
    static let envoyGateway: StaticString = "gateway.envoyproxy.io"
    static let istioSecurity: StaticString = "security.istio.io"

    /// Every kind that is understood. A new one is a line here, a case in ``ResourceKind``, and a file beside this one.
    static let all: [KindDefinition] = [
        .init(
            .gatewayClass, group: gatewayAPI, name: "GatewayClass", isNamespaced: false,
            versions: [.version("v1", GatewayClassSchema.fields), .version("v1beta1", GatewayClassSchema.fields)]),
        .init(
            .gateway, group: gatewayAPI, name: "Gateway",
            versions: [.version("v1", GatewaySchema.fields), .version("v1beta1", GatewaySchema.fields)]),
        .init(
            .httpRoute, group: gatewayAPI, name: "HTTPRoute",
            versions: [.version("v1", HTTPRouteSchema.fields), .version("v1beta1", HTTPRouteSchema.fields)]),
        .init(
            .referenceGrant, group: gatewayAPI, name: "ReferenceGrant",
            versions: [.version("v1", ReferenceGrantSchema.fields), .version("v1beta1", ReferenceGrantSchema.fields)]),
        .init(
            .listenerSet, group: gatewayAPI, name: "ListenerSet",
            versions: [.version("v1", ListenerSetSchema.fields)]),
        .init(
            .grpcRoute, group: gatewayAPI, name: "GRPCRoute",
            versions: [.version("v1", GRPCRouteSchema.fields)]),
        .init(
            .tlsRoute, group: gatewayAPI, name: "TLSRoute",
            versions: [
                .version("v1", TLSRouteSchema.fields), .version("v1alpha3", TLSRouteSchema.fields),
                .version("v1alpha2", TLSRouteSchema.alphaFields),
            ]),
        .init(
            .tcpRoute, group: gatewayAPI, name: "TCPRoute",
            versions: [
                .version("v1", StreamRouteSchema.fields), .version("v1alpha2", StreamRouteSchema.alphaFields),
            ]),
        .init(
            .udpRoute, group: gatewayAPI, name: "UDPRoute",
            versions: [
                .version("v1", StreamRouteSchema.fields), .version("v1alpha2", StreamRouteSchema.alphaFields),
            ]),
        .init(
            .backendTLSPolicy, group: gatewayAPI, name: "BackendTLSPolicy",
            versions: [
                .version("v1", BackendTLSPolicySchema.fields), .version("v1alpha3", BackendTLSPolicySchema.fields),
            ]),
        .init(
            .namespace, group: "", name: "Namespace", isNamespaced: false, objectName: .namespace,
            versions: [.version("v1", NamespaceSchema.fields)]),
        .init(
            .service, group: "", name: "Service", objectName: .text(1...63, .dns1035Label),
            versions: [.version("v1", ServiceSchema.fields)]),
        .init(.secret, group: "", name: "Secret", versions: [.version("v1", SecretSchema.fields)]),
        .init(.configMap, group: "", name: "ConfigMap", versions: [.version("v1", ConfigMapSchema.fields)]),
        .init(
            .endpointSlice, group: "discovery.k8s.io", name: "EndpointSlice",
            versions: [.version("v1", EndpointSliceSchema.fields)], rules: [EndpointSliceSchema.addressesFit]),
        .init(
            .backend, group: envoyGateway, name: "Backend",
            versions: [.version("v1alpha1", BackendSchema.fields)]),
        .init(
            .httpRouteFilter, group: envoyGateway, name: "HTTPRouteFilter",
            versions: [.version("v1alpha1", HTTPRouteFilterSchema.fields)]),
        .init(
            .clientTrafficPolicy, group: envoyGateway, name: "ClientTrafficPolicy",
            versions: [.version("v1alpha1", ClientTrafficPolicySchema.fields)]),
        .init(
            .backendTrafficPolicy, group: envoyGateway, name: "BackendTrafficPolicy",
            versions: [.version("v1alpha1", BackendTrafficPolicySchema.fields)]),
        .init(
            .securityPolicy, group: envoyGateway, name: "SecurityPolicy",
            versions: [.version("v1alpha1", SecurityPolicySchema.fields)]),
        .init(
            .authorizationPolicy, group: istioSecurity, name: "AuthorizationPolicy",
            versions: [
                .version("v1", AuthorizationPolicySchema.fields), .version("v1beta1", AuthorizationPolicySchema.fields),
            ]),
        .init(
            .peerAuthentication, group: istioSecurity, name: "PeerAuthentication",
            versions: [
                .version("v1", PeerAuthenticationSchema.fields), .version("v1beta1", PeerAuthenticationSchema.fields),
            ]),
    ]
}
