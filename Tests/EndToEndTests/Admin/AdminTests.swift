import Core
import Glibc
import IO
import Support
import Testing

@Suite("Admin interface", .serialized)
struct AdminTests {
    @Test func pagesAndTheirForms() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let gateway = try Gateway(Site.simple(port: port, backend: backend.port))
        #expect(try Client(port: port).request("GET", "/x").status == 200)
        for (path, parts) in [
            ("/healthz", ["ok\n"]), ("/readyz", ["ready\n"]),
            ("/", ["<!doctype html>", "default/front", "default/shop:80"]),
            (
                "/api/config",
                [
                    #"{"generation":1,"loadedAt":"20"#, #""source":["#, #""hash":""#, #""lastAttempt":{"at":"20"#,
                    #""ok":true"#,
                ]
            ),
            (
                "/api/resources",
                [#"{"resources":[{"#, #""kind":"HTTPRoute""#, #""status":{"parents":["#, #""type":"Accepted""#]
            ),
            (
                "/api/backends",
                [
                    #"{"backends":[{"name":"default/shop:80""#, #""address":"127.0.0.1:\#(backend.port)""#,
                    #""weight":1,"zone":"","connectionsNow":1,"health":"unknown","healthReason":"","usable":true,"stale":false,"ejections":0,"ejectedUntil":null"#,
                    #""requestsInFlight":0,"requests":1,"errors":0"#,
                    #""connections":1,"connectFailures":0,"latencyMs":"#,
                ]
            ),
            ("/api/status", [#""notReady":null"#, #""state":"serving""#, #""port":\#(port)"#]),
            (
                "/metrics",
                [
                    "\nsluice_config_generation 1\n", "# TYPE sluice_requests_total counter\n",
                    #"{route="default/shop",code_class="2xx"} 1"#,
                ]
            ),
        ] {
            let answer = try gateway.admin(path)
            #expect(answer.status == 200)
            for part in parts {
                #expect(answer.text.contains(part), "\(path) has no \(part): \(answer.text.prefix(600))")
            }
            #expect(answer["cache-control"] == "no-store")
            let head = try Client(path: gateway.folder.path + "/admin").request("HEAD", path, host: "a")
            #expect(head.status == 200 && head.text.isEmpty && head["content-length"] != "0")
        }
        #expect(try gateway.admin("/nothing").status == 404)
        let refused = try gateway.admin("/api/reload")
        #expect(refused.status == 405 && refused["allow"] == "POST")
    }

    @Test func aGatewayThatDrainsIsNotReady() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let gateway = try Gateway(
            Site.simple(port: port, backend: backend.port), options: ["--drain-delay", "10s"])
        #expect(try gateway.admin("/api/drain", method: "POST").status == 202)
        try Wait.until("readiness to end") { try gateway.admin("/readyz").status == 503 }
        #expect(try gateway.admin("/readyz").text == "draining\n")
        #expect(try gateway.admin("/healthz").status == 200)
    }

    /// A reader that does not read holds nobody up, and gets everything in the end.
    @Test func aLargeAnswerToASlowReader() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let routes = (0..<2000).map { Site.route("route-\($0)", to: "shop", prefix: "/some/longer/path/\($0)") }
            .joined()
        let gateway = try Gateway(Site.simple(port: port, backend: backend.port) + routes)
        let slow = try Client(path: gateway.folder.path + "/admin")
        try slow.send("GET /api/resources HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try gateway.admin("/healthz").status == 200)
        let answer = try slow.readResponse()
        #expect(answer.text.utf8.count > 1_000_000)
        #expect(answer.text.hasSuffix("]}\n"))
    }

    @Test func accessLogsAreReopened() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let folder = try TemporaryFolder()
        let log = folder.path + "/access.log"
        let gateway = try Gateway(
            Site.simple(port: port, backend: backend.port), workers: 2, options: ["--access-log", "json:" + log])
        #expect(try Client(port: port).request("GET", "/before").status == 200)
        try Wait.until("the first line") { TemporaryFolder.text(log).contains("/before") }
        rename(log, log + ".1")
        gateway.program.signal(SIGUSR1)
        try Wait.until("a new file") { access(log, F_OK) == 0 }
        #expect(try Client(port: port).request("GET", "/after").status == 200)
        try Wait.until("a line in one of the files") {
            (TemporaryFolder.text(log) + TemporaryFolder.text(log + ".1")).contains("/after")
        }
        // Every worker has taken the new file by the time that its own next line is there.
        try Wait.until("a line in the new file") {
            _ = try Client(port: port).request("GET", "/later")
            return TemporaryFolder.text(log).contains("/later")
        }
        #expect(!TemporaryFolder.text(log).contains("/before"))
    }

    @Test func aFullDiskLosesLinesAndNoTraffic() throws {
        let backend = try Backend("here")
        let port = try Ports.free()
        let gateway = try Gateway(
            Site.simple(port: port, backend: backend.port), options: ["--access-log", "text:/dev/full"])
        let client = try Client(port: port)
        for _ in 0..<50 { #expect(try client.request().status == 200) }
        try Wait.until("lost lines to be counted") {
            try gateway.admin("/metrics").text.contains("\nsluice_access_log_lost_lines_total 50\n")
        }
        #expect(try client.request().status == 200)
    }
}
