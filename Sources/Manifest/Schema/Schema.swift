import Core

/// The kinds that are understood, in any version.
public enum ResourceKind: UInt8, CaseIterable, Sendable {
    case gatewayClass, gateway, httpRoute, referenceGrant
    case listenerSet, grpcRoute, tlsRoute, tcpRoute, udpRoute, backendTLSPolicy
    case namespace, service, secret, configMap, endpointSlice
    case backend, backendTrafficPolicy, clientTrafficPolicy, securityPolicy, httpRouteFilter
    case authorizationPolicy, peerAuthentication

    /// The name in `kind`.
    public var name: StaticString { definition.name }
    /// The name before the slash in `apiVersion`; empty for the core group.
    public var group: StaticString { definition.group }
    /// False for kinds that stand in no namespace.
    public var isNamespaced: Bool { definition.isNamespaced }

    private var definition: KindDefinition { Schema.shared.definition(of: self) }
}

/// A version of a kind that is served: its name, and the fields beside those that every resource has.
struct KindVersion: Sendable {
    let version: StaticString
    let fields: [Field]

    static func version(_ version: StaticString, _ fields: [Field]) -> KindVersion {
        KindVersion(version: version, fields: fields)
    }
}

/// One kind: its names, and the shape of each version that is served.
final class KindDefinition: Sendable {
    let kind: ResourceKind
    let group: StaticString
    let name: StaticString
    let isNamespaced: Bool
    /// The preferred one first.
    let versions: [(version: StaticString, shape: Shape)]

    /// - Parameters:
    ///   - objectName: what `metadata.name` must be.
    ///   - fields: beside `apiVersion`, `kind`, `metadata` and `status`.
    init(
        _ kind: ResourceKind, group: StaticString, name: StaticString, isNamespaced: Bool = true,
        objectName: Shape = .text(1...253, .dnsSubdomain), versions: [KindVersion], rules: [Rule] = []
    ) {
        self.kind = kind
        self.group = group
        self.name = name
        self.isNamespaced = isNamespaced
        let metadata = Metadata.shape(name: objectName)
        self.versions = versions.map { served in
            let common = [
                required("apiVersion", .text()), required("kind", .text()), required("metadata", metadata),
                // What a cluster wrote there, right or wrong, is not ours to judge.
                optional("status", .any),
            ]
            return (served.version, .object(common + served.fields, rules: rules))
        }
    }

    /// Of the preferred version; nil: its resources have no `spec`.
    var specShape: Shape? {
        versions[0].shape.fields.first { $0.name.description == "spec" }?.shape
    }

    func shape(version: ByteView) -> Shape? {
        for entry in versions where version.equals(entry.version) { return entry.shape }
        return nil
    }
}

/// All kinds, their field names numbered and their defaults read. Made once, on first use.
final class Schema: @unchecked Sendable {
    static let shared = Schema()
    /// The nodes of ``defaults``.
    nonisolated(unsafe) static let defaultArena = UnsafePointer(shared.defaults.arena)

    let names = NameTable()
    /// The defaults of all shapes, as if a file had them.
    let defaults: ManifestFile
    private let kinds: [KindDefinition]

    private init() {
        kinds = KindDefinition.all
        for kind in kinds {
            for version in kind.versions { version.shape.register(names) }
        }
        for name in Metadata.usualKeys { _ = names.intern(ByteView(name)) }

        var fields: [Shape.Defaulted] = []
        var seen: Set<ObjectIdentifier> = []
        for kind in kinds {
            for version in kind.versions { version.shape.collectDefaults(into: &fields, seen: &seen) }
        }
        defaults = Self.read(fields, names)
    }

    /// Every default is one document of a file that nobody wrote.
    private static func read(_ fields: [Shape.Defaulted], _ names: NameTable) -> ManifestFile {
        var text = ByteBuffer()
        for field in fields.map(\.field) {
            guard let value = field.defaultText else { continue }
            text.append("---\n")
            if field.shape.base == .string {
                // Default texts hold neither quotes nor backslashes.
                text.append("'")
                text.append(value)
                text.append("'")
            } else {
                text.append(value)
            }
            text.append("\n")
        }
        let file = ManifestFile(path: "(schema)", octets: text.view, knownNames: names)
        let (roots, problems) = DocumentReader.read(file, isASCII: true)
        precondition(problems.isEmpty && roots.count == fields.count, "a default of the schema is not YAML")
        file.finish()
        for (field, root) in zip(fields, roots) {
            field.owner.table.pointee.entries[field.position].defaultIndex = Int32(root)
        }
        return file
    }

    func definition(of kind: ResourceKind) -> KindDefinition {
        guard let found = kinds.first(where: { $0.kind == kind }) else {
            preconditionFailure("a kind without a definition")
        }
        return found
    }

    func find(group: ByteView, kind: ByteView) -> KindDefinition? {
        for entry in kinds where kind.equals(entry.name) && group.equals(entry.group) { return entry }
        return nil
    }
}
