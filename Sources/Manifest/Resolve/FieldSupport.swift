import Core

/// What becomes of each field of Envoy Gateway's kinds: it works, or it is refused by name, or it is left alone because
/// nothing can go wrong without it. No field is ignored in silence. What works stands in ``AppliedFields``, the rest here;
/// `docs/policies.md` is made from both.
enum FieldSupport {
    enum State: Sendable {
        case works
        /// The resource says that it cannot be used, and what it applies to is answered 500.
        case refused
        /// A warning says that it has no effect.
        case leftAlone
    }
    struct Entry: Sendable {
        /// Below `spec`, with all that is under it that has no entry of its own; it passes through lists and maps.
        var path: String
        var state: State
        /// Why, as a sentence goes on behind a colon; for what works, what is to be known of it.
        var note: String
    }

    /// Kinds whose every field has an entry.
    static let kinds: [ResourceKind] = [.backend, .backendTrafficPolicy, .clientTrafficPolicy, .httpRouteFilter]

    /// What says where a policy applies, or how.
    private static func attachment(of kind: ResourceKind) -> [StaticString] {
        switch kind {
        case .backendTrafficPolicy: ["targetRef", "targetRefs", "targetSelectors", "mergeType"]
        case .clientTrafficPolicy: ["targetRef", "targetRefs", "targetSelectors"]
        default: []
        }
    }

    /// The entries of a kind, to be asked for every field that is written.
    private struct Table: Sendable {
        var byPath: [String: Entry] = [:]
        /// Paths below which there are entries.
        var divided = Set<String>()

        init(_ entries: [Entry]) {
            for entry in entries {
                byPath[entry.path] = entry
                var path = entry.path[...]
                while let dot = path.lastIndex(of: ".") {
                    path = path[..<dot]
                    divided.insert(String(path))
                }
            }
        }
    }
    private static let tables: [ResourceKind: Table] = Dictionary(
        uniqueKeysWithValues: kinds.map { ($0, Table(entries(of: $0))) })

    /// All entries of a kind.
    static func entries(of kind: ResourceKind) -> [Entry] {
        let works = (attachment(of: kind) + (AppliedFields.paths(of: kind) ?? [])).map { path in
            Entry(path: path.description, state: .works, note: notes[path.description] ?? "")
        }
        let known = Set(works.map(\.path))
        return works + others(of: kind).filter { !known.contains($0.path) }
    }

    /// What is to be known of fields that work.
    private static let notes: [String: String] = [
        "targetRef": "deprecated; write `targetRefs`",
        "enableProxyProtocol": "deprecated; write `proxyProtocol`",
        "compression": "deprecated; write `compressor`",
    ]

    private static func others(of kind: ResourceKind) -> [Entry] {
        func refused(_ path: String, _ note: String) -> Entry { Entry(path: path, state: .refused, note: note) }
        func leftAlone(_ path: String, _ note: String) -> Entry { Entry(path: path, state: .leftAlone, note: note) }
        switch kind {
        case .backendTrafficPolicy:
            return [
                leftAlone(
                    "routingType", "there are no cluster addresses here; requests go to the endpoints of a Service"),
                leftAlone("telemetry", "Sluice's metrics have names of their own, and it does not trace"),
                leftAlone(
                    "loadBalancer.backendUtilization",
                    "reports of load are not read; the endpoints are used as they are while no backend reports"),
                leftAlone("httpUpgrade.connect", "CONNECT is answered 501, whatever a policy says"),
                refused("loadBalancer.dynamicModule", "it loads code into Envoy"),
                refused("retry.numAttemptsPerPriority", "each attempt prefers another endpoint, whatever its priority"),
                refused(
                    "rateLimit.global.rules.limit.fromMetadata",
                    "nothing writes metadata of requests here; write the limit"),
                refused(
                    "rateLimit.global.rules.cost.request.metadata",
                    "nothing writes metadata of requests here; write a number"),
                refused(
                    "rateLimit.global.rules.cost.response.metadata",
                    "nothing writes metadata of requests here; write a number"),
                refused(
                    "rateLimit.local.rules.cost.request.metadata",
                    "nothing writes metadata of requests here; write a number"),
            ]
        case .clientTrafficPolicy:
            return [
                leftAlone("http3", "QUIC is not spoken, nor is it offered to clients; they use HTTP/2 or HTTP/1.1"),
                leftAlone("tls.fingerprints", "handshakes are not fingerprinted, and nothing here would use it"),
                leftAlone(
                    "tls.session", "clients resume by tickets, which all workers know; those without handshake anew"),
                leftAlone("http1.preserveHeaderCase", "names of fields always pass as they are written"),
            ]
        case .backend:
            return [
                leftAlone("tls.fingerprints", "handshakes are not fingerprinted, and nothing here would use it")
            ]
        default: return []
        }
    }

    // MARK: what a resource writes

    /// A field that does not work, at the outermost place below which nothing does.
    struct Unsupported {
        var node: WrittenNode
        var state: State
        var message: String

        /// - Parameter entry: nil: nobody has made it work, nor said why not.
        init(_ path: String, _ node: WrittenNode, _ entry: Entry?) {
            self.node = node
            state = entry?.state == .leftAlone ? .leftAlone : .refused
            let why = entry.map { $0.note.isEmpty ? "" : ": \($0.note)" } ?? ""
            message = "\(path) is not supported by Sluice\(state == .leftAlone ? " and has no effect" : "")\(why)"
        }
    }

    /// The fields of a resource that do not work.
    static func unsupported(_ resource: LoadedResource) -> [Unsupported] {
        guard let table = tables[resource.kind] else { return [] }
        var found: [Unsupported] = []
        collect(resource.node[.spec], "", nil, table, &found)
        return found
    }

    /// - Parameters:
    ///   - prefix: the path of `object`, with a dot behind it when it is not empty.
    ///   - outer: the entry that `object` falls under.
    private static func collect(
        _ object: WrittenNode, _ prefix: String, _ outer: Entry?, _ table: Table, _ found: inout [Unsupported]
    ) {
        for (name, value) in object.fields {
            let path = prefix + name.string
            let entry = table.byPath[path] ?? outer
            if table.divided.contains(path) {
                if value.kind == .list {
                    for item in value.items { collect(item, path + ".", entry, table, &found) }
                } else {
                    collect(value, path + ".", entry, table, &found)
                }
            } else if entry?.state != .works {
                found.append(Unsupported(path, value, entry))
            }
        }
    }

    /// Tells of every resource which of its fields do not work.
    static func tell(_ index: ResourceIndex, findings: inout FindingLog) {
        for resource in index.resources where !resource.isReplaced && kinds.contains(resource.kind) {
            for field in unsupported(resource) {
                switch field.state {
                case .refused: findings.unresolved(resource, field.node, field.message)
                case .leftAlone: findings.warning(resource, field.node, field.message)
                case .works: preconditionFailure("a field that works is told of")
                }
            }
        }
    }
}

extension PolicyReading {
    /// Refuses what a policy writes that Sluice does not do.
    mutating func refuseUnsupported(_ spec: PolicyNode) {
        for layer in spec.layers {
            for field in FieldSupport.unsupported(index.resources[layer.policy]) where field.state == .refused {
                refuse(PolicyNode(field.node, policy: layer.policy), field.message, reason: .unsupportedValue)
            }
        }
    }
}
