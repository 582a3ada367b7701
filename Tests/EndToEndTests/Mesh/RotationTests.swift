import Core
import Glibc
import Support
import Testing

/// Certificates that `sluice cert` renews under a running gateway: no reload is asked for, and no connection ends.
@Suite("Certificates of a mesh are renewed") struct RotationTests {
    private let mesh: MeshFolder
    private let port: UInt16

    init() throws {
        mesh = try MeshFolder()
        try mesh.workload("waypoint")
        port = try Ports.free()
    }

    private func call(_ workload: [String]) throws -> Clients.Outcome {
        try Clients.run(
            "hbone_client", ["call", "--target", "127.0.0.1:\(port)"] + workload + ["--authority", "cart.shop:80"])
    }

    @Test func openStreamsGoOnAndNewConnectionsShowTheNewOne() throws {
        let backend = try Backend("cart")
        let gateway = try Gateway(
            mesh.waypoint(port)
                + MeshFolder.service("cart", port: backend.port, labels: "istio.io/use-waypoint: waypoint"))
        let till = try mesh.workload("till")
        let open = try Clients.start(
            "hbone_client", ["keep", "--target", "127.0.0.1:\(port)"] + till + ["--authority", "cart.shop:80"])
        let first = try open.wait(for: "serial")
        try open.wait(for: "answered", count: 3)

        // The certificate, by the same authority.
        try MeshFolder.cert(["rotate", mesh.path, "--before", "800h"])
        try Wait.until("another certificate; the gateway printed:\n\(gateway.output)", within: .seconds(30)) {
            try call(till).value("serial") != first
        }
        // The authority: the new one is believed beside the old one first, then it signs.
        try MeshFolder.cert(["ca", "--out", mesh.path + "/next/ca"])
        let next = try mesh.workload("till", ca: "next/ca", in: "next/till")
        let bundle = mesh.folder.read("ca/ca.crt") + mesh.folder.read("next/ca/ca.crt")
        let caFile = ["--ca", try mesh.folder.write("bundle.crt", bundle)]
        #expect(try call(Array(next.dropLast(2)) + caFile).value("refused") != nil)
        try mesh.folder.write("ca/ca.crt", bundle)
        try MeshFolder.cert(["rotate", mesh.path])
        #expect(mesh.folder.read("waypoint/ca.crt") == bundle)
        try Wait.until("callers of both authorities; the gateway printed:\n\(gateway.output)", within: .seconds(30)) {
            try call(Array(next.dropLast(2)) + caFile).value("connect") == "200"
        }
        #expect(try call(Array(till.dropLast(2)) + caFile).value("connect") == "200")

        // All the while one stream has carried its requests.
        let answered = open.values("answered").count
        try open.wait(for: "answered", count: answered + 3)
        #expect(open.values("ended").isEmpty && open.values("failed").isEmpty)
        #expect(gateway.generation >= 3)
        open.program.signal(SIGTERM)
    }
}
