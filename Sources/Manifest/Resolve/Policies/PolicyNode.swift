import Config
import Core

/// A value as policies have it: of one policy, or of several that are merged. It is read as a ``WrittenNode`` is.
///
/// The layers are the places where it is written, the nearest policy's first. A field of an object is looked for in every
/// layer, so that objects are merged field by field; a scalar or a list is the nearest layer's.
struct PolicyNode {
    /// One policy's word.
    struct Layer {
        var node: WrittenNode
        /// The policy's number among the set's resources.
        var policy: Int
    }
    /// Those in which the value exists, unless none does.
    private(set) var layers: [Layer]

    init(_ layers: [Layer]) {
        self.layers = layers
        if layers.count > 1 {
            let existing = layers.filter(\.node.exists)
            self.layers = existing.isEmpty ? [layers[0]] : existing
            if let first = existing.first, first.node.kind != .object { self.layers = [first] }
        }
    }

    init(_ node: WrittenNode, policy: Int) { layers = [Layer(node: node, policy: policy)] }

    /// Where the value comes from; of an object, its nearest layer.
    var nearest: WrittenNode { layers[0].node }
    /// The number, among the set's resources, of the policy that the value comes from.
    var policy: Int { layers[0].policy }

    /// The field `key` of an object, or an absent node.
    subscript(_ key: FieldKey) -> PolicyNode {
        if layers.count == 1 { return PolicyNode(layers[0].node[key], policy: layers[0].policy) }
        return PolicyNode(layers.map { Layer(node: $0.node[key], policy: $0.policy) })
    }

    var exists: Bool { nearest.exists }
    var kind: NodeKind { nearest.kind }
    var text: ByteView { nearest.text }
    var string: String? { nearest.string }
    var integer: Int64? { nearest.integer }
    var number: Double? { nearest.number }
    var boolean: Bool? { nearest.boolean }
    /// The items of a list in order; none for anything else.
    var items: [PolicyNode] { nearest.items.map { PolicyNode($0, policy: policy) } }
    var path: String { nearest.path }
}
