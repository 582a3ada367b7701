import Core
import Manifest

/// Any octets as a manifest: no trap, no endless loop, every finding has a place in the file, and the simple reader never
/// reads anything otherwise than libyaml does.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzManifest(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: count))
    let lines = octets.count { $0 == ASCII.lf } + 1
    for finding in ManifestReader.read(files: [("f", octets)]).findings {
        check((1...lines).contains(finding.location.line), "a finding outside of the file")
        check((1...(count + 1)).contains(finding.location.column), "a finding outside of its line")
    }
    octets.withView { view in
        let content = UTF8Scan.content(of: view)
        if case .invalid = content { return }
        let both = ManifestFile(path: "f", octets: view, knownNames: Schema.shared.names)
        let libyaml = ManifestFile(path: "f", octets: view, knownNames: Schema.shared.names)
        let a = DocumentReader.read(both, isASCII: content == .ascii)
        let b = DocumentReader.read(libyaml, isASCII: content == .ascii, .libyamlOnly)
        // What libyaml cannot say: a character past U+FFFF that JSON writes as two, and values without a mark between.
        guard b.problems.isEmpty || b.problems.count == a.problems.count else { return }
        compare(both, a.roots, libyaml, b.roots)
    }
    return 0
}

private func compare(_ a: ManifestFile, _ rootsOfA: [Int], _ b: ManifestFile, _ rootsOfB: [Int]) {
    // An empty document is a null to libyaml and nothing to the simple reader.
    let left = rootsOfA.filter { a.records[$0].kind != .null }
    let right = rootsOfB.filter { b.records[$0].kind != .null }
    check(left.count == right.count, "another number of documents")
    for (x, y) in zip(left, right) {
        let span = a.records[x].span
        check(span == b.records[y].span, "another number of nodes")
        for step in 0..<span {
            let one = a.records[x + step]
            let other = b.records[y + step]
            check(
                one.kind == other.kind && one.flags.contains(.isTrue) == other.flags.contains(.isTrue), "another type")
            check(one.offset == other.offset && one.keyDistance == other.keyDistance, "another place")
            check((one.key == .none) == (other.key == .none), "a key too many")
            if one.key != .none { check(a.names.text(one.key).equals(b.names.text(other.key)), "another key") }
            if !one.isContainer { check(a.scalarText(one).equals(b.scalarText(other)), "another text") }
        }
    }
}
