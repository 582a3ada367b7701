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
        var at = 0
        if let base = view.base {
            let octets = UnsafeRawPointer(base)
            while at + 8 <= view.count {
                add(octets.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                at += 8
            }
        }
        var rest = UInt64(view.count)
        while at < view.count {
            rest = rest << 8 | UInt64(view[at])
            at += 1
        }
        add(rest)
    }

    mutating func add(_ tag: UInt64, _ text: String) {
        add(tag)
        text.withView { add($0) }
    }

    /// What `node` says, without regard to the order of fields, to comments and to layout. 0 when it is absent.
    static func of(_ node: WrittenNode) -> UInt64 {
        node.exists ? node.file.digest(of: Int(node.index), schemaNames: UInt32(Schema.shared.names.count)) : 0
    }
}

extension ManifestFile {
    fileprivate func digest(of index: Int, schemaNames: UInt32) -> UInt64 {
        let record = records[index]
        var hash = SpecHash()
        hash.add(UInt64(record.kind.rawValue))
        guard record.isContainer else {
            if record.kind == .boolean {
                hash.add(record.flags.contains(.isTrue) ? 1 : 0)
            } else {
                hash.add(scalarText(record))
            }
            return hash.value
        }
        var at = index + 1
        var sum: UInt64 = 0
        for _ in 0..<record.length {
            let child = records[at]
            let digest = digest(of: at, schemaNames: schemaNames)
            if record.kind == .list {
                hash.add(digest)
            } else if child.kind != .null {
                var field = SpecHash()
                // The schema's names have the same numbers in every file; others only within theirs.
                if child.key.raw < schemaNames {
                    field.add(UInt64(child.key.raw))
                } else {
                    field.add(names.text(child.key))
                }
                field.add(digest)
                sum &+= field.value
            }
            at += child.span
        }
        hash.add(sum)
        return hash.value
    }
}
