import Core

/// `metadata` (Kubernetes' ObjectMeta): what names and describes a resource is checked, what a cluster keeps there for
/// itself is left alone.
enum Metadata {
    static func shape(name: Shape) -> Shape {
        .object([
            required("name", name),
            optional("namespace", .namespace),
            optional("labels", labels),
            optional("annotations", annotations),
            optional("creationTimestamp", .text(0 ... .max, .dateTime)),
            optional("generateName", .any),
            optional("selfLink", .any),
            optional("uid", .any),
            optional("resourceVersion", .any),
            optional("generation", .any),
            optional("deletionTimestamp", .any),
            optional("deletionGracePeriodSeconds", .any),
            optional("ownerReferences", .any),
            optional("finalizers", .any),
            optional("managedFields", .any),
        ])
    }

    private static let labels = Shape.map(of: .text(0...63, .labelValue), rules: [qualifiedKeys])
    private static let annotations = Shape.map(of: .text(), rules: [qualifiedKeysOfAnyCase, annotationSize])

    private static let qualifiedKeys: Rule = { map, report in
        for (name, value) in map.fields where !TextFormat.isQualifiedName(name) {
            report.refuse(value, "'\(name.excerpt)' is not \(TextFormat.qualifiedName.description)")
        }
    }

    /// As for labels, but an API server does not mind the case of an annotation's prefix.
    private static let qualifiedKeysOfAnyCase: Rule = { map, report in
        for (name, value) in map.fields where !TextFormat.isQualifiedName(name) {
            guard !name.string.lowercased().withView({ TextFormat.isQualifiedName($0) }) else { continue }
            report.refuse(value, "'\(name.excerpt)' is not \(TextFormat.qualifiedName.description)")
        }
    }

    /// Octets of all annotations of a resource, keys included.
    private static let annotationLimit = 256 * 1024

    private static let annotationSize: Rule = { map, report in
        var octets = 0
        for (name, value) in map.fields { octets += name.count + value.text.count }
        if octets > annotationLimit {
            report.refuse(map, "has \(octets) octets; annotations may have \(annotationLimit) together")
        }
    }

    /// Names that are frequent in manifests without being fields: known to all files, stored by none.
    static let usualKeys: [StaticString] = [
        "<<", "app", "version", "tier", "component", "app.kubernetes.io/name", "app.kubernetes.io/instance",
        "app.kubernetes.io/version", "app.kubernetes.io/component", "app.kubernetes.io/part-of",
        "app.kubernetes.io/managed-by", "kubernetes.io/service-name", "kubernetes.io/metadata.name", "tls.crt",
        "tls.key", "ca.crt", "items", "data", "kubectl.kubernetes.io/last-applied-configuration",
    ]
}
