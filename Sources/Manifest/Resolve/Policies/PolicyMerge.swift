import Core

/// How two policies become one where they meet: `mergeType`, and the place in the spec that is merged.
///
/// Lists are replaced, but for these: StrategicMerge merges `compressor`, `compression` and `httpUpgrade` by their `type`
/// (the merge keys of Envoy Gateway's types), and rate limits are merged in both ways as Envoy Gateway does it after
/// translation: see ``Place``.
struct PolicyMerge {
    /// As `mergeType` has them.
    enum Kind {
        case strategic, json

        init?(_ node: WrittenNode) {
            switch node.string {
            case "StrategicMerge": self = .strategic
            case "JSONMerge": self = .json
            default: return nil
            }
        }
    }
    private enum Place {
        case spec
        /// The deprecated `type` says which of `global` and `local` a policy means. Each policy's is its own: when they
        /// differ, both kinds of limits hold.
        case rateLimit
        case limits(isLocal: Bool)
        /// The nearest policy's rules come first, the other's are added; JSONMerge leaves the other's away. A local limit
        /// for everybody (a rule without selectors) is the nearest policy's or nobody's.
        case rules(isLocal: Bool)
        /// Entries with the same `type` are merged.
        case byType
        case other
    }
    private var kind: Kind
    private var place = Place.spec
    /// Nil: nothing is known of the place.
    private var shape: UnsafePointer<ShapeTable>?

    /// - Parameter shape: of the `spec`.
    init(_ kind: Kind, of shape: UnsafePointer<ShapeTable>?) {
        self.kind = kind
        self.shape = shape
    }

    /// The place of a field.
    func field(_ key: FieldKey) -> PolicyMerge {
        var inner = self
        inner.shape = shape.flatMap { table in
            table.pointee.position(of: key.id).map { table.pointee.entries[$0].table }
        }
        switch (place, key.id) {
        case (.spec, FieldKey.rateLimit.id): inner.place = .rateLimit
        case (.spec, FieldKey.compressor.id), (.spec, FieldKey.compression.id), (.spec, FieldKey.httpUpgrade.id):
            inner.place = kind == .strategic ? .byType : .other
        case (.rateLimit, FieldKey.local.id): inner.place = .limits(isLocal: true)
        case (.rateLimit, FieldKey.global.id): inner.place = .limits(isLocal: false)
        case (.limits(let isLocal), FieldKey.rules.id): inner.place = .rules(isLocal: isLocal)
        default: inner.place = .other
        }
        return inner
    }

    /// Whether the lists of several layers count.
    var mergesLists: Bool {
        switch place {
        case .byType, .rules: true
        case .spec, .rateLimit, .limits, .other: false
        }
    }

    // MARK: objects

    /// The values of a field that count.
    func layers(of key: FieldKey, in layers: [PolicyNode.Layer]) -> [PolicyNode.Layer] {
        if isMoot(key, in: layers) { return [] }
        var found: [PolicyNode.Layer] = []
        for layer in layers {
            let value = layer.node[key]
            if value.exists {
                if isMeant(key, by: layer) { found.append(.init(node: value, policy: layer.policy)) }
            } else if found.isEmpty, hasDefault(key) {
                break
            }
        }
        return found
    }

    /// Whether nothing that is written under `key` counts.
    private func isMoot(_ key: FieldKey, in layers: [PolicyNode.Layer]) -> Bool {
        guard case .rateLimit = place, key.id == FieldKey.type.id else { return false }
        return Set(layers.map { $0.node[.type].string }).count > 1
    }

    /// Whether a policy's `rateLimit.type` lets its own field count.
    private func isMeant(_ key: FieldKey, by layer: PolicyNode.Layer) -> Bool {
        guard case .rateLimit = place, let type = layer.node[.type].string else { return true }
        switch key.id {
        case FieldKey.local.id: return type == "Local"
        case FieldKey.global.id: return type == "Global"
        default: return true
        }
    }

    private func hasDefault(_ key: FieldKey) -> Bool {
        guard let shape, let position = shape.pointee.position(of: key.id) else { return false }
        return shape.pointee.entries[position].defaultIndex >= 0
    }

    // MARK: lists

    /// The items of merged lists, in order.
    func items(of layers: [PolicyNode.Layer]) -> [PolicyNode] {
        let near = items(layers[0])
        let far = items(layers[1])
        switch place {
        case .byType: return mergedByType(near, far)
        case .rules(let isLocal):
            let added = isLocal ? far.filter { Self.hasSelectors($0) } : far
            let replaces = kind == .json && near.contains { !isLocal || Self.hasSelectors($0) }
            return near + (replaces ? [] : added)
        case .spec, .rateLimit, .limits, .other: return near
        }
    }

    private func items(_ layer: PolicyNode.Layer) -> [PolicyNode] {
        layer.node.items.map { PolicyNode($0, policy: layer.policy) }
    }

    private static func hasSelectors(_ rule: PolicyNode) -> Bool { !rule[.clientSelectors].items.isEmpty }

    /// The nearest policy's entries keep their order, and so do the other's; between them the other's order holds where it
    /// knows both, and else the nearest's come first (Kubernetes' strategic merge patch).
    private func mergedByType(_ near: [PolicyNode], _ far: [PolicyNode]) -> [PolicyNode] {
        func place(_ node: PolicyNode) -> Int? { far.firstIndex { $0[.type].string == node[.type].string } }
        let patched = near.map { node -> (order: Int?, node: PolicyNode) in
            guard let place = place(node) else { return (nil, node) }
            var inner = self
            inner.place = .other
            inner.shape = shape?.pointee.items
            return (place, PolicyNode(node.layers + far[place].layers, inner))
        }
        let taken = Set(patched.compactMap(\.order))
        var others = far.indices.filter { !taken.contains($0) }[...]
        var merged: [PolicyNode] = []
        for (order, node) in patched {
            while let order, let next = others.first, next < order {
                merged.append(far[next])
                others.removeFirst()
            }
            merged.append(node)
        }
        return merged + others.map { far[$0] }
    }
}
