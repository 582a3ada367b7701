import Core

/// A 64-bit digest for telling whether something changed. Not for enemies: who writes the manifests may make collisions
/// and only fools himself.
struct SpecHash {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func add(_ number: UInt64) {
        var mixed = (value ^ number) &* 0xBF58_476D_1CE4_E5B9
        mixed ^= mixed >> 29
        mixed = mixed &* 0x94D0_49BB_1331_11EB
        value = mixed ^ mixed >> 32
    }

    mutating func add(_ view: ByteView) {
        var word: UInt64 = 0
        var filled: UInt64 = 0
        for index in view.indices {
            word |= UInt64(view[index]) << filled
            filled += 8
            if filled == 64 {
                add(word)
                word = 0
                filled = 0
            }
        }
        add(word)
        add(UInt64(view.count))
    }

    mutating func add(_ tag: UInt64, _ text: String) {
        add(tag)
        text.withView { add($0) }
    }

    /// What `node` says, without regard to the order of fields, to comments and to layout.
    static func of(_ node: Node) -> UInt64 {
        var hash = SpecHash()
        hash.add(UInt64(node.kind.rawValue))
        switch node.kind {
        case .object:
            var sum: UInt64 = 0
            for (name, value) in node.fields {
                var field = SpecHash()
                field.add(name)
                field.add(of(value))
                sum &+= field.value
            }
            hash.add(sum)
        case .list:
            for item in node.items { hash.add(of(item)) }
        case .boolean: hash.add(node.boolean == true ? 1 : 0)
        case .integer, .float, .string: hash.add(node.text)
        case .null: break
        }
        return hash.value
    }
}
