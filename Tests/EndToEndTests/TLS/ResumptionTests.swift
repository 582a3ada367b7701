import Core
import Glibc
import IO
import Support
import Testing

/// A ticket of one worker is good with every other, with the one that replaces it, and after a reload.
@Suite("TLS resumption")
struct ResumptionTests {
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func outlivesWorkersAndReloads(version: String) throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let folder = try TemporaryFolder()
        let pair = try TestCertificates.issue(names: ["shop.example.com", "other.example.com"])
        let site = SecureSite.simple(port: port, pair: pair, backend: backend.port)
        let gateway = try Gateway(site, workers: 2)
        let session = folder.path + "/session"

        let first = try OpenSSLClient("shop.example.com", port, [version, "-sess_out", session])
        #expect(first.isNew && first.isAnswered, "\(first.output)")
        func resumes(_ times: Int, _ when: String) throws {
            for _ in 0..<times {
                let client = try OpenSSLClient("shop.example.com", port, [version, "-sess_in", session])
                #expect(client.isResumed && client.isAnswered, "\(when): \(client.output)")
            }
        }
        // Which worker a connection comes to is the kernel's choice: that it is always the same one has a chance of 2⁻⁷.
        try resumes(8, "any worker")

        for index in 0..<2 {
            let victim = try #require(gateway.worker(index))
            kill(victim, SIGKILL)
            try Wait.until("worker \(index) to be back") { gateway.worker(index).map { $0 != victim } ?? false }
        }
        try gateway.waitUntilReady()
        try resumes(3, "new workers")

        let other = try Backend("other")
        try gateway.reload(["gateway.yaml": SecureSite.simple(port: port, pair: pair, backend: other.port)])
        try resumes(3, "after a reload")

        // A session goes on under the name that made it alone.
        let stranger = try OpenSSLClient("other.example.com", port, [version, "-sess_in", session])
        #expect(stranger.isNew && stranger.isAnswered, "\(stranger.output)")
    }
}
