import Core
import IO
import Telemetry

/// `GET /`: one self-contained page without script, for a look at what runs.
enum StatusPage {
    /// Nothing may be loaded from anywhere, and no other page may frame this one.
    static let securityPolicy =
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"

    static func write(_ controller: Controller) -> ByteBuffer {
        var page = ByteBuffer(capacity: 8192)
        page.append(head)
        let state = controller.unreadiness.map { "not ready: \($0)" } ?? "ready"
        page.append(string: "<h1>Sluice <small>\(escaped(controller.version))</small></h1><p>")
        page.append(string: controller.unreadiness == nil ? "<b class=ok>" : "<b class=bad>")
        page.append(string: "\(escaped(state))</b></p>")
        configuration(controller, to: &page)
        listeners(controller, to: &page)
        rollouts(controller, to: &page)
        processes(controller, to: &page)
        traffic(controller, to: &page)
        backends(controller, to: &page)
        page.append(
            """
            <p><a href=/api/config>config</a> · <a href=/api/resources>resources</a> · \
            <a href=/api/backends>backends</a> · <a href=/api/rollouts>rollouts</a> · <a href=/api/status>status</a> · <a href=/metrics>metrics</a></p>\n
            """)
        return page
    }

    private static let head: StaticString = """
        <!doctype html><html lang=en><meta charset=utf-8><title>Sluice</title>
        <meta name=viewport content="width=device-width"><style>
        body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}
        table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.25rem .75rem .25rem 0;
        border-bottom:1px solid #d8dee4;vertical-align:top}th{font-weight:600}small{font-weight:400;color:#57606a}
        .ok{color:#116329}.bad{color:#a40e26}
        @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th,td{border-color:#30363d}a{color:#6cb6ff}
        .ok{color:#57ab5a}.bad{color:#f47067}small{color:#8b949e}}
        </style>

        """

    private static func configuration(_ controller: Controller, to page: inout ByteBuffer) {
        table("Configuration", [], to: &page) { row in
            row(["generation", "\(controller.live?.generation ?? 0)"])
            if let live = controller.live { row(["loaded", Timestamp.string(live.loadedAt)]) }
            row(["source", controller.options.paths.joined(separator: ", ")])
            if let outcome = controller.lastOutcome {
                let result = outcome.isApplied ? "applied" : "refused"
                let findings = "\(outcome.findings.count) findings"
                row(["last attempt", "\(Timestamp.string(outcome.at)): \(result), \(outcome.message), \(findings)"])
            }
        }
    }

    private static func listeners(_ controller: Controller, to page: inout ByteBuffer) {
        guard let live = controller.live else { return }
        let snapshot = live.snapshot
        let header = snapshot.header.pointee
        table("Listeners", ["gateway", "listener", "port", "hostname"], to: &page) { row in
            for number in 0..<Int(header.listeners.count) {
                let listener = snapshot[header.listeners, number].pointee
                let gateway =
                    snapshot.text(listener.gatewayNamespace).string + "/" + snapshot.text(listener.gatewayName).string
                let hostname = snapshot.text(listener.hostname).string
                row([
                    gateway, snapshot.text(listener.name).string, "\(listener.port)", hostname.isEmpty ? "*" : hostname,
                ])
            }
        }
    }

    private static func rollouts(_ controller: Controller, to page: inout ByteBuffer) {
        guard !controller.rollouts.watched.isEmpty else { return }
        table("Rollouts", ["route", "rule", "canary", "share", "what and why"], to: &page) { row in
            for rollout in controller.rollouts.watched {
                row([
                    "\(rollout.route)", rollout.rule, rollout.canaryName, rollout.shareText,
                    "\(rollout.machine.state.phase.word): \(rollout.why)",
                ])
            }
        }
    }

    private static func processes(_ controller: Controller, to page: inout ByteBuffer) {
        table("Workers", ["worker", "state", "pid", "restarts", "connections"], to: &page) { row in
            for worker in controller.workers {
                let connections = controller.reader.value(.downstreamConnectionsNow, worker: Int(worker.index))
                row([
                    "\(worker.index)", MetricsPage.state(worker.state).rawValue, "\(worker.pid)",
                    "\(worker.restarts)", "\(connections)",
                ])
            }
        }
    }

    private static func traffic(_ controller: Controller, to page: inout ByteBuffer) {
        let reader = controller.reader
        table("Requests", ["all", "2xx", "3xx", "4xx", "5xx", "none", "now"], to: &page) { row in
            row(
                ["\(reader.requests)"] + [2, 3, 4, 5, 0].map { "\(reader.requests(statusClass: $0))" }
                    + ["\(reader.total(.requestsNow))"])
        }
    }

    /// Backends shown at most; `/api/backends` has all.
    private static let backendLimit = 200

    private static func backends(_ controller: Controller, to page: inout ByteBuffer) {
        guard let live = controller.live else { return }
        let snapshot = live.snapshot
        let header = snapshot.header.pointee
        table("Backends", ["backend", "endpoint", "health", "requests", "5xx", "mean ms"], to: &page) { row in
            for number in 0..<min(Self.backendLimit, Int(header.clusters.count)) {
                let cluster = snapshot[header.clusters, number].pointee
                let name = snapshot.text(cluster.name).string
                if cluster.endpoints.isEmpty { row([name, "none", "", "", "", ""]) }
                for place in 0..<Int(cluster.endpoints.count) {
                    let endpoint = snapshot[cluster.endpoints, place].pointee
                    let slot = controller.reader.slot(.endpoint, endpoint.slot)
                    let mean = slot.mean.map { "\(Double($0.nanoseconds / 10_000) / 100)" } ?? ""
                    let health = EndpointReport(endpoint.slot, controller.health).words(
                        wallNow: controller.loop.wallNow)
                    row([
                        name, snapshot.name(of: endpoint), health, "\(slot.requests)", "\(slot.classes[4])", mean,
                    ])
                }
            }
        }
    }

    private static func table(
        _ title: String, _ columns: [String], to page: inout ByteBuffer, _ rows: (([String]) -> Void) -> Void
    ) {
        var text = "<h2>\(title)</h2><table>"
        if !columns.isEmpty { text += "<tr>" + columns.map { "<th>\($0)</th>" }.joined() + "</tr>" }
        rows { text += "<tr>" + $0.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>\n" }
        page.append(string: text + "</table>")
    }

    /// Names come from manifests, which may say anything.
    static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
