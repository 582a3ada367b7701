import Core

/// One resource that is right in form.
public struct ManifestDocument: Sendable {
    public let kind: ResourceKind
    /// The resource, with its defaults in place. Valid as long as the ``ManifestSet``.
    public let root: Node

    /// As written, such as `gateway.networking.k8s.io/v1`.
    public var apiVersion: ByteView { root["apiVersion"].text }
    public var name: ByteView { root["metadata"]["name"].text }
    /// `default` when none is written; empty for kinds that stand in no namespace.
    public var namespace: ByteView {
        guard kind.isNamespaced else { return .empty }
        let written = root["metadata"]["namespace"].text
        return written.isEmpty ? ByteView("default") : written
    }

    public var identity: ResourceIdentity {
        ResourceIdentity(
            apiVersion: apiVersion.string, kind: kind.name.description, namespace: namespace.string, name: name.string)
    }
}

/// What was read from a set of files.
public struct ManifestSet: Sendable {
    /// Keeps the memory of all nodes.
    public let files: [ManifestFile]
    /// In the order of the files and of the documents in them. Resources that are malformed are not among them.
    public let documents: [ManifestDocument]
    /// In the same order; those of kind `malformed` reject the set.
    public let findings: [Finding]
    /// Resources, or what should have been some, that are malformed and so not among ``documents``.
    public let malformedCount: Int

    public var isMalformed: Bool { findings.contains { $0.kind == .malformed } }
}

/// Manifests in, resources with positions out. Opens no file: whoever calls it has read them.
public enum ManifestReader {
    /// Reads YAML and JSON files and holds each resource against its schema.
    /// - Parameter files: the paths are what findings show.
    /// - Returns: everything that could be read, and all that is wrong with the rest. Never fails as a whole.
    public static func read(files: [(path: String, bytes: [UInt8])]) -> ManifestSet {
        var reading = ManifestReading()
        for file in files { reading.read(file.path, file.bytes) }
        return reading.finish()
    }
}
