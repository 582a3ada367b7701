import Config
import Core
import Glibc
import Testing

@testable import Manifest

/// Whole sets of manifests and what becomes of them: `Golden/<case>.in.yaml` beside `<case>.out.json`, which lists the
/// statuses, the plan and the findings, an entry a line. With SLUICE_REWRITE_GOLDEN=1 the outputs are written anew;
/// then read the difference before you keep it.
@Suite struct Golden {
    static let folder = String(#filePath.dropLast("GoldenTests.swift".count)) + "Golden/"

    static let cases: [String] = {
        var names: [String] = []
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".in.yaml") { names.append(String(name.dropLast(".in.yaml".count))) }
        }
        return names.sorted()
    }()

    @Test(arguments: cases) func statusesPlanAndFindings(_ name: String) throws {
        let input = try #require(ReferencedFile.read(Self.folder + name + ".in.yaml"))
        let set = ManifestReader.read(files: [(name + ".in.yaml", input)])
        #expect(set.findings.filter { $0.kind == .malformed }.map(\.description) == [])
        let resolution = Resolver.resolve(set, now: "2026-11-21T12:00:00Z")
        let found = GoldenReport(resolution).json
        let output = Self.folder + name + ".out.json"
        if getenv("SLUICE_REWRITE_GOLDEN") != nil {
            let file = try #require(fopen(output, "w"))
            fputs(found, file)
            fclose(file)
        }
        let wanted = String(decoding: ReferencedFile.read(output) ?? [], as: UTF8.self)
        #expect(found == wanted, "\(name): run with SLUICE_REWRITE_GOLDEN=1 and look at the difference")
    }

    @Test func thereAreCases() { #expect(Self.cases.count >= 15) }
}
