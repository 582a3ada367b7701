import Core

/// A document that a program of ours has written, read with the same reader as manifests, without a schema.
package enum StateDocument {
    /// - Parameter body: is given the root; what it takes from it are values, never nodes.
    /// - Returns: nil when the octets are no single JSON or YAML document.
    package static func read<Result>(_ octets: [UInt8], _ body: (Node) -> Result) -> Result? {
        octets.withView { view in
            guard case .ascii = UTF8Scan.content(of: view) else { return nil }
            let file = ManifestFile(path: "", octets: view, knownNames: Schema.shared.names)
            let (roots, faults) = DocumentReader.read(file, isASCII: true)
            file.finish()
            guard faults.isEmpty, roots.count == 1 else { return nil }
            return withExtendedLifetime(file) { body(Node(file, roots[0], .any)) }
        }
    }
}
