import Core

/// A set of files while it is being read.
struct ManifestReading {
    private var files: [ManifestFile] = []
    private var documents: [ManifestDocument] = []
    private var findings: [Finding] = []
    private var malformedCount = 0
    /// `group/kind` of what was already warned about.
    private var leftAlone: Set<String> = []

    mutating func read(_ path: String, _ bytes: [UInt8]) {
        bytes.withView { octets in
            let start = SourceLocation(file: path, line: 1, column: 1)
            guard octets.count <= ManifestLimits.fileSize else {
                let limit = ManifestLimits.fileSize >> 20
                findings.append(
                    Finding(.malformed, at: start, "the file is larger than \(limit) MiB, which is the limit"))
                return
            }
            let file =
                if let joined = JSONSurrogates.joined(octets) {
                    joined.withView { ManifestFile(path: path, octets: $0, knownNames: Schema.shared.names) }
                } else {
                    ManifestFile(path: path, octets: octets, knownNames: Schema.shared.names)
                }
            files.append(file)
            let content = UTF8Scan.content(of: octets)
            if case .invalid(let offset) = content {
                file.finish()
                findings.append(
                    Finding(.malformed, at: file.location(of: offset), "the file is not UTF-8; save it as UTF-8"))
                return
            }
            let (roots, problems) = DocumentReader.read(file, isASCII: content == .ascii)
            file.finish()
            var told = problems.map { Finding(.malformed, at: file.location(of: $0.offset), $0.message) }
            for root in roots { take(file, root, &told) }
            // Problems of form come first out of the reader; a user reads from top to bottom.
            told.sort { ($0.location.line, $0.location.column) < ($1.location.line, $1.location.column) }
            findings += told
        }
    }

    func finish() -> ManifestSet {
        ManifestSet(files: files, documents: documents, findings: findings, malformedCount: malformedCount)
    }

    // MARK: documents

    private mutating func take(_ file: ManifestFile, _ root: Int, _ told: inout [Finding]) {
        let record = file.records[root]
        func refuse(_ message: String) {
            malformedCount += 1
            told.append(Finding(.malformed, at: file.location(of: Int(record.offset)), message))
        }
        // An empty document, as between two `---`.
        if record.kind == .null { return }
        guard record.kind == .object else {
            return refuse("a document must be an object with apiVersion and kind, but this is \(record.kind.text)")
        }
        let node = Node(file, root, .any)
        let kind = node["kind"]
        let apiVersion = node["apiVersion"]
        for (name, field) in [("kind", kind), ("apiVersion", apiVersion)] {
            if !field.exists {
                return refuse("the document has no \(name); every resource needs one")
            }
            guard field.kind == .string, !field.text.isEmpty else {
                malformedCount += 1
                told.append(
                    Finding(
                        .malformed, at: field.location, path: name, "must be a string, such as \(Self.example(name))"))
                return
            }
        }
        if isList(kind.text, apiVersion.text) {
            for item in node["items"].items { take(file, Int(item.index), &told) }
            return
        }
        let (group, version) = Self.split(apiVersion.text)
        file.resourceRoots.append(root)
        guard let definition = Schema.shared.find(group: group, kind: kind.text) else {
            warn(about: kind, group, apiVersion, &told)
            return
        }
        guard let shape = definition.shape(version: version) else {
            let prefix = group.isEmpty ? "" : group.string + "/"
            let served = definition.versions.map { "'\(prefix)\($0.version)'" }
            malformedCount += 1
            told.append(
                Finding(
                    .malformed, at: apiVersion.location, resource: identity(of: node, definition, apiVersion),
                    path: "apiVersion",
                    "\(definition.name) is not served in version '\(version.string)'; write \(served.joined(separator: " or "))"
                ))
            return
        }
        var validator = Validator(file, root: root)
        validator.check(shape)
        if validator.findings.isEmpty {
            documents.append(ManifestDocument(kind: definition.kind, root: Node(file, root, shape)))
        } else {
            malformedCount += 1
            let resource = identity(of: node, definition, apiVersion)
            for var finding in validator.findings {
                finding.resource = resource
                told.append(finding)
            }
        }
    }

    private static func example(_ name: String) -> String { name == "kind" ? "'HTTPRoute'" : "'v1'" }

    /// `gateway.networking.k8s.io/v1` → group and version; the core group has no slash.
    static func split(_ apiVersion: ByteView) -> (group: ByteView, version: ByteView) {
        guard let slash = apiVersion.firstIndex(of: ASCII.slash) else { return (.empty, apiVersion) }
        return (apiVersion.upTo(slash), apiVersion.from(slash + 1))
    }

    /// `List`, or the list of a kind that is understood (`HTTPRouteList`).
    private func isList(_ kind: ByteView, _ apiVersion: ByteView) -> Bool {
        let suffix = ByteView("List")
        guard kind.hasSuffix(suffix) else { return false }
        let (group, _) = Self.split(apiVersion)
        if kind.count == suffix.count { return group.isEmpty }
        return Schema.shared.find(group: group, kind: kind.upTo(kind.count - suffix.count)) != nil
    }

    private func identity(of node: Node, _ definition: KindDefinition, _ apiVersion: Node) -> ResourceIdentity {
        let metadata = node["metadata"]
        let namespace = metadata["namespace"].text
        return ResourceIdentity(
            apiVersion: apiVersion.text.string, kind: definition.name.description,
            namespace: definition.isNamespaced ? (namespace.isEmpty ? "default" : namespace.string) : "",
            name: metadata["name"].text.string)
    }

    // MARK: kinds that are left alone

    private mutating func warn(about kind: Node, _ group: ByteView, _ apiVersion: Node, _ told: inout [Finding]) {
        let name = kind.text.string
        guard leftAlone.insert("\(group.string)/\(name)").inserted else { return }
        let advice = KindAdvice.of(group: group.string, kind: name)
        told.append(
            Finding(
                .warning, at: kind.location, path: "kind",
                "resources of the kind '\(name)' (\(apiVersion.text.string)) are left alone; \(advice)"))
    }
}
