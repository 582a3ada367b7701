import Config
import Core

/// A value as policies have it: of one policy, or of two that are merged. It is read as a ``WrittenNode`` is.
///
/// Merged objects have the fields of both, the nearest policy's first; a scalar or a list is the nearest's, but for the few
/// lists that ``PolicyMerge`` tells of. What the schema gives an object by default counts as written there, as it does when
/// Envoy Gateway gets policies from an API server: a default of the nearest hides what the other one wrote.
struct PolicyNode {
    /// One policy's word.
    struct Layer {
        var node: WrittenNode
        /// The policy's number among the set's resources.
        var policy: Int
    }
    /// Those in which the value exists, the nearest policy's first; one without a value where it exists in none.
    private(set) var layers: [Layer]
    /// What is to be known for merging; nil: there is one layer.
    private var merge: PolicyMerge?

    init(_ node: WrittenNode, policy: Int) { layers = [Layer(node: node, policy: policy)] }

    /// - Parameters:
    ///   - layers: the nearest first; at least one, and each exists when there are several.
    ///   - merge: how they become one.
    init(_ layers: [Layer], _ merge: PolicyMerge) {
        precondition(!layers.isEmpty, "a value of no policy")
        self.layers = layers
        if layers.count > 1 { self.merge = merge }
    }

    /// Where the value comes from; of an object, its nearest layer.
    var nearest: WrittenNode { layers[0].node }
    /// The number, among the set's resources, of the policy that the value comes from.
    var policy: Int { layers[0].policy }

    /// The field `key` of an object, or an absent node.
    subscript(_ key: FieldKey) -> PolicyNode {
        guard let merge else { return PolicyNode(layers[0].node[key], policy: layers[0].policy) }
        let found = merge.layers(of: key, in: layers)
        guard let first = found.first else {
            // What is written there may not count.
            return PolicyNode(layers[0].node[key].missing, policy: layers[0].policy)
        }
        let inner = merge.field(key)
        guard first.node.kind == .object || inner.mergesLists else {
            return PolicyNode(first.node, policy: first.policy)
        }
        return PolicyNode(found, inner)
    }

    var exists: Bool { nearest.exists }
    var kind: NodeKind { nearest.kind }
    var text: ByteView { nearest.text }
    var string: String? { nearest.string }
    var integer: Int64? { nearest.integer }
    var number: Double? { nearest.number }
    var boolean: Bool? { nearest.boolean }
    /// The items of a list in order; none for anything else.
    var items: [PolicyNode] {
        if let merge { return merge.items(of: layers) }
        return nearest.items.map { PolicyNode($0, policy: policy) }
    }
    /// The entries of a map, or the fields of an object, by name: those of the nearest policy first.
    var fields: [(name: String, value: PolicyNode)] {
        var found: [(name: String, value: PolicyNode)] = []
        for layer in layers {
            for (name, value) in layer.node.fields {
                let name = name.string
                if found.contains(where: { $0.name == name }) { continue }
                found.append((name, PolicyNode(value, policy: layer.policy)))
            }
        }
        return found
    }
    var path: String { nearest.path }
}
