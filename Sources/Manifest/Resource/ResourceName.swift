/// API groups as `apiVersion` has them, without the version.
package enum APIGroup {
    package static let gateway = "gateway.networking.k8s.io"
    package static let core = ""
    package static let envoyGateway = "gateway.envoyproxy.io"
    package static let discovery = "discovery.k8s.io"

    /// The group of a kind whose resources refer to others.
    static func ofReferrer(_ kind: String) -> String {
        switch kind {
        case "Backend", "BackendTrafficPolicy", "ClientTrafficPolicy", "SecurityPolicy", "HTTPRouteFilter": envoyGateway
        default: gateway
        }
    }
}

/// What a resource is called within its kind. Cluster-scoped ones have an empty namespace.
package struct ResourceName: Hashable, Sendable, CustomStringConvertible {
    package var namespace: String
    package var name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// - Parameter qualified: `namespace/name`.
    package init?(qualified: String) {
        let parts = qualified.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        self.init(namespace: String(parts[0]), name: String(parts[1]))
    }

    /// The namespace of a resource that names none (Kubernetes' own default).
    package static let defaultNamespace = "default"

    package var description: String { namespace.isEmpty ? name : namespace + "/" + name }
}

extension ResourceName: Comparable {
    /// The alphabetical order of `namespace/name`, with which Gateway API breaks ties. The slash counts: it stands after
    /// the hyphen, so `a-b/x` comes before `a/y`.
    package static func < (a: Self, b: Self) -> Bool {
        a.namespace == b.namespace ? a.name < b.name : a.namespace + "/" < b.namespace + "/"
    }
}

/// One resource of a set, across kinds: the identity under which generations and statuses are remembered.
package struct ResourceKey: Hashable, Sendable {
    package var kind: ResourceKind
    package var name: ResourceName

    package init(kind: ResourceKind, name: ResourceName) {
        self.kind = kind
        self.name = name
    }
}
