import Core
import Glibc
import Testing

@testable import Manifest

/// Every input that once broke the reader of manifests, or taught its fuzzer something, is read again without
/// a trap.
@Suite("Corpus of the manifest fuzzer") struct ManifestCorpusTests {
    @Test(arguments: corpus()) func replay(_ name: String) throws {
        let file = try #require(fopen(folder + name, "rb"))
        defer { fclose(file) }
        var octets = [UInt8](repeating: 0, count: 1 << 16)
        octets.removeLast(octets.count - fread(&octets, 1, octets.count, file))
        let set = ManifestReader.read(files: [(name, octets)])
        #expect(set.files.count == 1)
    }
}

private let folder = String(#filePath.dropLast("CorpusTests.swift".count)) + "Corpus/"

private func corpus() -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
}
