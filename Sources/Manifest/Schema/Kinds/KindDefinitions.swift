extension KindDefinition {
    static let gatewayAPI: StaticString = "gateway.networking.k8s.io"

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
    ]
}
