import Config

extension RuleResolution {
    /// What a backend of type DynamicResolver cannot stand beside: other backends, among which nobody could choose by the
    /// request's host; a host that is cut out of the path, which would go round what is checked of hosts; and TLS that ends
    /// at the listener, behind which there is no host to be read. As in Envoy Gateway such a rule is answered 500.
    mutating func checkDynamicResolver(_ clusters: [ClusterPlan], _ use: BackendSetting.Use, _ node: WrittenNode) {
        let resolves = plan.backends.contains { backend in
            guard case .cluster(let number) = backend.target else { return false }
            return clusters[number].dynamicResolver != nil
        }
        guard resolves else { return }
        func refuse(_ reason: ConditionReason, _ message: String) {
            unresolved.append(Problem(reason: reason, message: message, node: node[.backendRefs]))
            isBroken = true
        }
        if case .pathRegex? = plan.filters.rewrite?.hostSource {
            refuse(
                .unsupportedValue,
                "a host that an HTTPRouteFilter cuts out of the path cannot lead to a Backend of type DynamicResolver")
        } else if plan.backends.count > 1 {
            refuse(.invalidBackendRef, "a Backend of type DynamicResolver must be the only backend of its rule")
        } else if use == .octets {
            refuse(
                .unsupportedValue,
                "a Backend of type DynamicResolver can be reached through TLS only where the listener passes it through"
            )
        }
    }
}
