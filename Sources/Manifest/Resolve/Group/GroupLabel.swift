import Core

/// The labels by which a Service, or all Services of a Namespace, say whose group they belong to: ours and, so that manifests
/// of Istio's ambient mode can be used as they are, Istio's for waypoints. Ours counts where both are there.
enum GroupLabel {
    /// What a resource says.
    enum Choice {
        case unsaid
        /// `none`: to no group, whatever the Namespace says.
        case nobody
        case gateway(ResourceName, WrittenNode)
    }

    private static let labels: [(name: StaticString, namespace: StaticString)] = [
        ("sluice.dev/gateway", "sluice.dev/gateway-namespace"),
        ("istio.io/use-waypoint", "istio.io/use-waypoint-namespace"),
    ]
    private static let nobody: StaticString = "none"

    /// - Parameter home: where a Gateway is whose namespace is not written.
    static func choice(of resource: LoadedResource, home: String) -> Choice {
        let written = resource.node[.metadata][.labels]
        for label in labels {
            guard let gateway = entry(label.name, of: written), !gateway.text.isEmpty else { continue }
            if gateway.text.equals(nobody) { return .nobody }
            let namespace = entry(label.namespace, of: written)?.string ?? home
            return .gateway(ResourceName(namespace: namespace, name: gateway.text.string), gateway)
        }
        return .unsaid
    }

    private static func entry(_ key: StaticString, of map: WrittenNode) -> WrittenNode? {
        for (name, value) in map.fields where name.equals(key) { return value }
        return nil
    }
}
