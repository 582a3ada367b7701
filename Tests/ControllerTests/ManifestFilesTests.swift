import Core
import Glibc
import IO
import Manifest
import Support
import Testing

@testable import Controller

@Suite("Files of a set")
struct ManifestFilesTests {
    private func names(_ files: ManifestFiles, in folder: TemporaryFolder) -> [String] {
        files.files.map { String($0.path.dropFirst(folder.path.count + 1)) }
    }

    @Test func foldersAreReadInTheOrderOfNames() throws {
        let folder = try TemporaryFolder()
        for name in [
            "b.yaml", "a.yml", "z.json", "notes.txt", "sub/deep/c.yaml", "B.yaml", ".hidden.yaml", "..data/x.yaml",
        ] {
            try folder.write(name, "# \(name)")
        }
        let files = ManifestFiles(reading: [folder.path])
        #expect(names(files, in: folder) == ["B.yaml", "a.yml", "b.yaml", "sub/deep/c.yaml", "z.json"])
        #expect(files.findings.isEmpty)
        #expect(files.files[1].bytes == Array("# a.yml".utf8))
    }

    @Test func aNamedFileIsReadWhateverItsName() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("manifest.txt", "x")
        #expect(ManifestFiles(reading: [path]).files.map(\.path) == [path])
    }

    @Test func whatCannotBeReadIsMalformed() throws {
        let folder = try TemporaryFolder()
        symlink("/nowhere", folder.path + "/gone.yaml")
        mkfifo(folder.path + "/pipe.yaml", 0o600)
        let files = ManifestFiles(reading: [folder.path, folder.path + "/missing"])
        #expect(files.findings.map(\.kind) == [.malformed, .malformed, .malformed])
        #expect(files.findings.map { "\($0.location.line):\($0.location.column)" } == ["1:1", "1:1", "1:1"])
        #expect(
            files.findings.map(\.location.file) == ["gone.yaml", "pipe.yaml", "missing"].map { folder.path + "/" + $0 })
    }

    @Test func linksAreFollowedOnceAndLoopsEnd() throws {
        let folder = try TemporaryFolder()
        try folder.write("..v1/a.yaml", "1")
        symlink("..v1", folder.path + "/..data")
        symlink("..data/a.yaml", folder.path + "/a.yaml")
        symlink("a.yaml", folder.path + "/b.yaml")
        symlink(".", folder.path + "/loop")
        let files = ManifestFiles(reading: [folder.path, folder.path + "/a.yaml"])
        #expect(names(files, in: folder) == ["a.yaml"])
    }

    @Test func theHashIsOfPathsAndContents() {
        func hash(_ files: [(String, String)]) -> UInt64 {
            ManifestFiles(files: files.map { .init(path: $0.0, bytes: Array($0.1.utf8)) }).hash
        }
        let set = hash([("a", "1"), ("b", "2")])
        #expect(set == hash([("a", "1"), ("b", "2")]))
        for other in [[("a", "1"), ("b", "3")], [("a", "1"), ("c", "2")], [("b", "2"), ("a", "1")], [("a", "1b2")]] {
            #expect(hash(other) != set)
        }
    }

    @Test func aDepositComesBackAsItWas() throws {
        let files = ManifestFiles(files: [
            .init(path: "routes/é.yaml", bytes: Array("kind: X\n".utf8)), .init(path: "empty", bytes: []),
        ])
        let followed = [FollowedFile(path: "a.key", octets: [0, 255]), FollowedFile(path: "gone", octets: nil)]
        let fd = try Deposit.seal(files, followed: followed, loadedAt: -12_345)
        let back = try #require(withExtendedLifetime(fd) { Deposit.open(fd.raw) })
        #expect(back.loadedAt == -12_345)
        #expect(back.files.hash == files.hash)
        #expect(back.files.files.map(\.path) == ["routes/é.yaml", "empty"])
        #expect(back.followed == followed)
    }

    @Test func filesThatAreNamedCountAsTheSet() {
        let files = ManifestFiles(files: [.init(path: "a.yaml", bytes: [1])])
        func hash(_ path: String, _ octets: [UInt8]?) -> UInt64 {
            ManifestLoad.hash(files, [FollowedFile(path: path, octets: octets)])
        }
        #expect(hash("k", [1]) == hash("k", [1]))
        #expect(ManifestLoad.hash(files, []) == files.hash)
        for other in [hash("k", [2]), hash("l", [1]), hash("k", nil), hash("k", []), files.hash] {
            #expect(other != hash("k", [1]))
        }
        #expect(hash("k", nil) != hash("k", []))
    }

    @Test(arguments: [0, 7, 23, 30, 45])
    func aDepositThatIsCutIsNone(length: Int) throws {
        let files = ManifestFiles(files: [.init(path: "a.yaml", bytes: Array("kind: X\n".utf8))])
        let deposit = try Deposit.seal(files, loadedAt: 1)
        let whole = try SealedBlock(deposit.raw)
        let cut = UnsafeRawBufferPointer(start: whole.base, count: max(1, min(length, whole.size - 1)))
        let fd = try SealedBlock.make("cut", cut)
        #expect(Deposit.open(fd.raw) == nil)
        withExtendedLifetime((deposit, whole, fd)) {}
    }

    @Test func loadsAreRefusedForTheRightReason() {
        func load(_ text: String) -> ManifestLoad {
            ManifestLoad(ManifestFiles(files: [.init(path: "x.yaml", bytes: Array(text.utf8))]))
        }
        #expect(load("kind: [").refusal == .malformed)
        #expect(load("").refusal == .noGateway)
        let empty = load("")
        #expect(empty.findings.map(\.kind) == [.unresolved])
        let broken = load("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {prts: []}\n")
        #expect(broken.findings.allSatisfy { $0.kind == .malformed })
    }
}
