import Core
import Glibc
import Support
import Testing

@Suite("sluice cert") struct CertCommandTests {
    private let mesh: MeshFolder

    init() throws { mesh = try MeshFolder() }

    private func mode(_ name: String) -> mode_t {
        var status = stat()
        return stat(mesh.path + "/" + name, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func keysAreTheirOwnersAlone() throws {
        try mesh.workload("cart")
        for name in ["ca/ca.key", "cart/tls.key"] { #expect(mode(name) == 0o600, "\(name)") }
        #expect(mode("cart/tls.crt") & 0o400 == 0o400)
        #expect(mesh.folder.read("cart/ca.crt") == mesh.folder.read("ca/ca.crt"))
    }

    @Test func whatIsIssuedIsWhatOthersBelieve() throws {
        try mesh.workload("cart")
        let verified = try Clients.tool(
            "openssl", ["verify", "-x509_strict", "-CAfile", mesh.path + "/ca/ca.crt", mesh.path + "/cart/tls.crt"])
        #expect(verified.code == 0, "\(verified.output)")
        let shown = try MeshFolder.cert(["show", mesh.path + "/cart/tls.crt", mesh.path + "/ca/ca.crt"])
        #expect(shown.contains("identity   spiffe://cluster.local/ns/shop/sa/cart"))
        #expect(shown.contains("identity   spiffe://cluster.local\n"))
        #expect(shown.contains("ECDSA, 256 bits"))
    }

    @Test func anAuthorityIsNeverWrittenOver() throws {
        let before = mesh.folder.read("ca/ca.key")
        #expect(throws: TimedOut.self) { try MeshFolder.cert(["ca", "--out", mesh.path + "/ca"]) }
        #expect(mesh.folder.read("ca/ca.key") == before)
    }

    @Test func rotateRenewsWhatEndsSoonAndNothingElse() throws {
        try mesh.workload("cart")
        let before = mesh.folder.read("cart/tls.crt")
        #expect(try MeshFolder.cert(["rotate", mesh.path]).isEmpty)
        #expect(mesh.folder.read("cart/tls.crt") == before)
        #expect(try MeshFolder.cert(["rotate", mesh.path, "--before", "721h"]).contains("ns/shop/sa/cart, until"))
        #expect(mesh.folder.read("cart/tls.crt") != before)
    }

    @Test(arguments: [
        (["cert"], "what? write ca"),
        (["cert", "frob"], "there is no 'frob'"),
        (["cert", "ca"], "needs --out DIR"),
        (["cert", "ca", "--out", "/nowhere/x", "--trust-domain", "A.b"], "--trust-domain 'A.b'"),
        (["cert", "workload", "--namespace", "a/b"], "--namespace 'a/b'"),
        (["cert", "workload", "--dns", "a b"], "--dns 'a b'"),
        (["cert", "workload", "--lifetime", "1s"], "a minute at least"),
        (["cert", "rotate"], "which? write the folders"),
        (["cert", "show", "--frob"], "no option such as --frob"),
    ]) func wrongUsage(words: [String], part: String) throws {
        let folder = try TemporaryFolder()
        let program = try Program(Program.built("sluice"), words, output: folder.path + "/output")
        #expect(try program.waitForEnd() == .exited(code: 2))
        #expect(program.output.contains(part), "\(program.output)")
    }
}
