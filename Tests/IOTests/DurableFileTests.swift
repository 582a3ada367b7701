import Core
import Glibc
import IO
import Support
import Testing

@Suite("Files that must be there, whole") struct DurableFileTests {
    private static func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    @Test func theNewContentIsThereWithItsMode() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/key"
        for text in ["first", "second, longer"] {
            try Array(text.utf8).withView { view in try DurableFile.write(view, to: path, mode: 0o600) }
            #expect(try DurableFile.read(path, limit: 100) == Array(text.utf8))
            #expect(Self.mode(path) == 0o600)
        }
        #expect(Self.mode(path + ".new") == nil)
    }

    /// Root may give a file to anybody. Who may not changes nothing, since others could not read what they read before.
    @Test func theFileIsGivenAwayOrLeftAsItIs() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/tls.key"
        try folder.write("tls.key", "before")
        var ownership = try #require(try DurableFile.Ownership(of: path))
        ownership.user = 65_534
        ownership.mode = 0o640
        let wanted = ownership
        let result = Array("after".utf8).withView { view in
            Result { () throws(Errno) in try DurableFile.write(view, to: path, ownership: wanted) }
        }
        if geteuid() == 0 {
            try result.get()
            #expect(try DurableFile.Ownership(of: path) == wanted)
            #expect(folder.read("tls.key") == "after")
        } else {
            #expect(throws: Errno(EPERM)) { try result.get() }
            #expect(folder.read("tls.key") == "before")
        }
        #expect(Self.mode(path + ".new") == nil)
        #expect(try DurableFile.Ownership(of: folder.path + "/nothing") == nil)
    }

    /// Of a crash, or of somebody who would like to read what comes.
    @Test func whatLiesBesideItIsNotWrittenInto() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/tls.key"
        try folder.write("tls.key.new", "left over, and longer than what comes")
        #expect(chmod(path + ".new", 0o644) == 0)
        let other = open(path + ".new", O_RDONLY | O_CLOEXEC)
        let watched = OwnedFD(adopting: other)
        try Array("secret".utf8).withView { view in try DurableFile.write(view, to: path, mode: 0o600) }
        #expect(Self.mode(path) == 0o600)
        #expect(try DurableFile.read(path, limit: 100) == Array("secret".utf8))
        var octets = [UInt8](repeating: 0, count: 64)
        let count = read(watched.raw, &octets, octets.count)
        #expect(String(decoding: octets.prefix(max(0, count)), as: UTF8.self).hasPrefix("left over"))
    }
}
