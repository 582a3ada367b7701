import Config
import Controller
import Core
import Manifest

extension Command {
    static let explain = Command(
        name: "explain", synopsis: "explain [OPTION…] [PATH…] --url URL | --connect HOST:PORT",
        summary: "Tells where a request or a connection would go, who may make it, and why others lose.",
        options: """
              --url URL               http[s]://HOST[:PORT]/PATH[?QUERY]
              --method M              default GET
              --header 'NAME: VALUE'  as often as needed; a Host header replaces the URL's
              --connect HOST:PORT     a connection in place of a request: to a listener, or brought to a group's gateway on
                                      its way to this name or address (CONNECT, HBONE, interception)
              --sni NAME              the connection begins TLS and asks for this server
              --tcp                   the connection carries octets that are neither TLS nor requests
              --from CALLER           who calls: NAMESPACE, NAMESPACE/NAME (of a Pod or Service, by its address), an IP
                                      address, or spiffe://… for a certificate; an address may stand beside another one
              --gateway NS/NAME       the Gateway that is asked; without it the one that has the host, by its services or its routes
              -o text|json            default text

            The manifests (default: routes) are loaded as run would, and what is asked about is put before the code that serves:
            matcher and AuthorizationPolicies alike. Without --from it is asked for a caller whom nobody knows.
            Exit status: 0 it is served; 1 it is refused or answered by an error, such as for want of a valid backend or of an
            endpoint, or the manifests are malformed; 2 the command line is wrong.
            """
    ) { arguments throws(UsageError) in
        var paths: [String] = []
        var format = OutputFormat.text
        var url: String?
        var method: String?
        var headers: [(name: String, value: String)] = []
        var target: String?
        var serverName: String?
        var isOctets = false
        var callers: [CallerName] = []
        var gateway: String?
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let path): paths.append(path)
            case .option("--url"): url = try reader.value("URL")
            case .option("--method"), .option("-X"): method = try reader.value("METHOD")
            case .option("--header"), .option("-H"): headers.append(try header(try reader.value("'NAME: VALUE'")))
            case .option("--connect"): target = try reader.value("HOST:PORT")
            case .option("--sni"): serverName = try reader.value("NAME")
            case .option("--tcp"): isOctets = true
            case .option("--from"): callers.append(try CallerName(try reader.value("CALLER")))
            case .option("--gateway"): gateway = try reader.value("NAMESPACE/NAME")
            case .option("-o"), .option("--output"): format = try OutputFormat(option: try reader.value("text|json"))
            case .option("--request"):
                throw UsageError("--request is not in this version; give the request with --url, --method and --header")
            case .option(let other):
                throw reader.unknown(
                    other,
                    among: [
                        "--url", "--method", "--header", "--connect", "--sni", "--tcp", "--from", "--gateway", "-o",
                    ])
            }
        }
        let subject: ExplainedSubject
        switch (url, target) {
        case (nil, nil):
            throw UsageError("which request? write --url http://HOST/PATH, or --connect HOST:PORT for a connection")
        case (.some, .some):
            throw UsageError("--url asks about a request, --connect about a connection: write one of them")
        case (let url?, nil):
            guard serverName == nil, !isOctets else {
                throw UsageError(
                    "--sni and --tcp are for --connect; the server name of a request is its https:// URL's")
            }
            subject = .request(try ExplainedRequest(url: url, method: method ?? "GET", headers: headers))
        case (nil, let target?):
            guard method == nil, headers.isEmpty else {
                throw UsageError("--method and --header are for --url; a connection has neither")
            }
            subject = .connection(
                try ExplainedConnection(target: target, serverName: serverName, isOctets: isOctets))
        }
        let load = ManifestLoad(ManifestFiles(reading: paths.isEmpty ? ["routes"] : paths))
        guard load.refusal != .malformed else {
            for finding in load.findings where finding.isError { Output.error(finding.description) }
            return 1
        }
        let plan = load.resolution.plan
        if let gateway { try check(gateway, among: plan) }
        var explanation = Explainer.explain(
            subject, plan, from: try ExplainedCaller(callers, plan), askedOf: gateway)
        noteFindings(load.findings, &explanation)
        switch format {
        case .text: Output.print(explanation.text)
        case .json: Output.whole(explanation.json)
        }
        return explanation.isServed ? 0 : 1
    }

    private static func check(_ gateway: String, among plan: GatewayPlan) throws(UsageError) {
        let listeners = plan.sockets.flatMap(\.listeners)
        let names = Set(listeners.map { "\($0.gatewayNamespace)/\($0.gatewayName)" }).sorted()
        guard !names.contains(gateway) else { return }
        let near = NearestName.of(gateway, among: names).map { "; did you mean \($0)?" }
        throw UsageError(
            "--gateway '\(gateway)': no Gateway that listens is called so"
                + (near ?? (names.isEmpty ? "" : "; there are \(names.joined(separator: ", "))")))
    }

    /// What was asked about may go another way than is wanted because of them.
    private static func noteFindings(_ findings: [Finding], _ explanation: inout Explanation) {
        guard !findings.isEmpty else { return }
        let errors = findings.count { $0.isError }
        let warnings = findings.count - errors
        var parts: [String] = []
        if errors > 0 { parts.append("\(errors) error\(errors == 1 ? "" : "s")") }
        if warnings > 0 { parts.append("\(warnings) warning\(warnings == 1 ? "" : "s")") }
        explanation.notes.append("the manifests have \(parts.joined(separator: ", ")): sluice check")
    }

    private static func header(_ text: String) throws(UsageError) -> (name: String, value: String) {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            throw UsageError("--header '\(text)': write 'NAME: VALUE'")
        }
        let value = String(text[text.index(after: colon)...])
        return (String(text[..<colon]), value.withView { $0.trimmed.string })
    }
}
