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

    /// Of the gateway's user they are, while root renews them.
    @Test func whatIsRenewedKeepsOwnerGroupAndMode() throws {
        try mesh.workload("cart")
        let isRoot = geteuid() == 0
        let files: [(name: String, mode: mode_t)] = [("tls.key", 0o660), ("tls.crt", 0o604), ("ca.crt", 0o444)]
        for file in files {
            let path = mesh.path + "/cart/" + file.name
            #expect(chmod(path, file.mode) == 0)
            // Only root may give a file away.
            if isRoot { #expect(chown(path, 65_534, 12) == 0) }
        }
        let before = mesh.folder.read("cart/tls.key")
        try MeshFolder.cert(["rotate", mesh.path, "--before", "721h"])
        #expect(mesh.folder.read("cart/tls.key") != before)
        for file in files {
            var status = stat()
            #expect(stat(mesh.path + "/cart/" + file.name, &status) == 0)
            #expect(status.st_mode & 0o777 == file.mode, "\(file.name)")
            #expect(!isRoot || status.st_uid == 65_534 && status.st_gid == 12, "\(file.name)")
        }
    }

    @Test func aWorkloadsPairIsWrittenOverOnlyWhenThatIsSaid() throws {
        try mesh.workload("cart")
        let before = mesh.folder.read("cart/tls.crt")
        let words = [
            "workload", "--namespace", "shop", "--service-account", "till", "--ca", mesh.path + "/ca", "--out",
            mesh.path + "/cart",
        ]
        #expect {
            try MeshFolder.cert(words)
        } throws: {
            "\($0)".contains("cart/tls.key is there already: 'cert rotate' renews it")
        }
        #expect(mesh.folder.read("cart/tls.crt") == before)
        #expect(try MeshFolder.cert(words + ["--replace"]).contains("ns/shop/sa/till, until"))
    }

    @Test func aFoldersCertificatesAreShown() throws {
        try mesh.workload("cart")
        let shown = try MeshFolder.cert(["show", mesh.path]).split(separator: "\n").filter { !$0.hasPrefix("  ") }
        #expect(shown.count == 2 && shown[0].contains("/ca/ca.crt: ") && shown[1].contains("/cart/tls.crt: "))
        let empty = try TemporaryFolder()
        #expect { try MeshFolder.cert(["show", empty.path]) } throws: {
            "\($0)".contains("there is no tls.crt and no ca.crt")
        }
    }

    @Test func rotateRenewsWhatEndsSoonAndNothingElse() throws {
        try mesh.workload("cart")
        let before = mesh.folder.read("cart/tls.crt")
        #expect(try MeshFolder.cert(["rotate", mesh.path]).isEmpty)
        #expect(mesh.folder.read("cart/tls.crt") == before)
        #expect(try MeshFolder.cert(["rotate", mesh.path, "--before", "721h"]).contains("ns/shop/sa/cart, until"))
        #expect(mesh.folder.read("cart/tls.crt") != before)
    }

    @Test func aFolderThatCannotBeRenewedStopsNoOther() throws {
        for name in ["alpha", "cart", "zulu"] { try mesh.workload(name) }
        try mesh.folder.write("alpha/tls.crt", "no certificate")
        let before = ["cart", "zulu"].map { mesh.folder.read("\($0)/tls.crt") }
        let output = try TemporaryFolder()
        let program = try Program(
            Program.built("sluice"), ["cert", "rotate", output.path, mesh.path, "--before", "721h"],
            output: output.path + "/output")
        #expect(try program.waitForEnd() == .exited(code: 1))
        #expect(program.output.contains("alpha/tls.crt") && program.output.contains("there is no tls.crt in it"))
        #expect(zip(["cart", "zulu"], before).allSatisfy { mesh.folder.read("\($0)/tls.crt") != $1 })
    }

    /// Near the end of its CA a certificate cannot be as long as it was: the next CA's is again.
    @Test func lifetimesDoNotShrinkForGood() throws {
        try MeshFolder.cert(["ca", "--out", mesh.path + "/short", "--lifetime", "2m"])
        try mesh.workload("cart", ca: "short")
        let cut = mesh.folder.read("cart/tls.crt")
        let end = try validUntil("cart/tls.crt")
        #expect(try validUntil("short/ca.crt") == end)
        // A new CA signs; the old one is still believed.
        let both = mesh.folder.read("ca/ca.crt") + mesh.folder.read("short/ca.crt")
        try mesh.folder.write("ca/ca.crt", both)
        try MeshFolder.cert(["rotate", mesh.path, "--before", "1h"])
        #expect(mesh.folder.read("cart/tls.crt") != cut)
        // Thirty days, and by now it is not due.
        #expect(try MeshFolder.cert(["rotate", mesh.path, "--before", "700h"]).isEmpty)
    }

    private func validUntil(_ name: String) throws -> Substring? {
        try MeshFolder.cert(["show", mesh.path + "/" + name]).split(separator: "\n")
            .first { $0.contains("valid") }?.split(separator: " ").last
    }

    @Test(arguments: [
        (["cert"], "what? write ca"),
        (["cert", "frob"], "there is no 'frob'"),
        (["cert", "ca"], "needs --out DIR"),
        (["cert", "ca", "--out", "/nowhere/x", "--trust-domain", "A.b"], "--trust-domain 'A.b'"),
        (["cert", "workload", "--namespace", "a/b"], "--namespace 'a/b'"),
        (["cert", "workload", "--dns", "a b"], "--dns 'a b'"),
        (["cert", "workload", "--lifetime", "1s"], "a minute at least"),
        (["cert", "ca", "--lifetime", "10y"], "such as 87600h, 1m30s or 250ms: h is the largest unit"),
        (["cert", "rotate"], "which? write the folders"),
        (["cert", "show", "--frob"], "no option such as --frob"),
    ]) func wrongUsage(words: [String], part: String) throws {
        let folder = try TemporaryFolder()
        let program = try Program(Program.built("sluice"), words, output: folder.path + "/output")
        #expect(try program.waitForEnd() == .exited(code: 2))
        #expect(program.output.contains(part), "\(program.output)")
    }
}
