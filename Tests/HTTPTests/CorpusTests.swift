import Core
import Glibc
import HTTP
import Testing

/// Every input that once broke a parser, or taught a fuzzer something, is judged again: no trap, and no difference
/// between one piece and many. Tests/Fuzz keeps them here; its first octet chooses the pieces, the rest is the message.
@Suite("Corpus of the fuzzers") struct CorpusTests {
    @Test(arguments: corpus()) func replay(_ name: String) throws {
        let input = try #require(contents(of: folder + name))
        let octets = Array(input.dropFirst()) + [ASCII.lf]
        let everyCut = Array(0...octets.count)
        switch name.prefix(while: { $0 != "-" }) {
        case "RequestHeadFuzzer":
            #expect(readRequest(octets, cuts: everyCut) == readRequest(octets))
        case "ResponseHeadFuzzer":
            let method = HTTP.Method(rawValue: (input.first ?? 0) / 16 % 10) ?? .get
            #expect(readResponse(octets, method: method, cuts: everyCut) == readResponse(octets, method: method))
        case "ChunkedBodyFuzzer":
            #expect(readChunked(octets, pieces: octets.map { _ in 1 }) == readChunked(octets, pieces: []))
        case "PathFuzzer":
            let action = EscapedSlashesAction(rawValue: (input.first ?? 0) % 4) ?? .unescapeAndRedirect
            let path = Array(input.dropFirst())
            if case .path(let once) = normalised(path, action) { #expect(normalised(once, action) == .path(once)) }
        default: Issue.record("no fuzzer is named so")
        }
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

private func contents(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var octets: [UInt8] = []
    while case let byte = fgetc(file), byte != EOF { octets.append(UInt8(byte)) }
    return octets
}
