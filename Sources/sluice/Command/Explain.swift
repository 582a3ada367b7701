import Controller
import Core
import Manifest

extension Command {
    static let explain = Command(
        name: "explain", synopsis: "explain [OPTION…] [PATH…] --url URL",
        summary: "Tells which listener, route, rule and backends a request would take, and why others lose.",
        options: """
              --url URL               http[s]://HOST[:PORT]/PATH[?QUERY]
              --method M              default GET
              --header 'NAME: VALUE'  as often as needed; a Host header replaces the URL's
              --from NAMESPACE        of who calls, where a service is called through the gateway of its group
              -o text|json            default text

            The manifests (default: routes) are loaded as run would, and the request is put before the matcher that serves.
            AuthorizationPolicies in force are named and not decided, since that needs to know who calls.
            Exit status: 0 a rule takes it; 1 none does, or the manifests are malformed; 2 the command line is wrong.
            """
    ) { arguments throws(UsageError) in
        var paths: [String] = []
        var format = OutputFormat.text
        var url: String?
        var method = "GET"
        var headers: [(name: String, value: String)] = []
        var namespace = ""
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let path): paths.append(path)
            case .option("--url"): url = try reader.value("URL")
            case .option("--method"), .option("-X"): method = try reader.value("METHOD")
            case .option("--header"), .option("-H"): headers.append(try header(try reader.value("'NAME: VALUE'")))
            case .option("--from"): namespace = try reader.value("NAMESPACE")
            case .option("-o"), .option("--output"): format = try OutputFormat(option: try reader.value("text|json"))
            case .option("--request"):
                throw UsageError("--request is not in this version; give the request with --url, --method and --header")
            case .option(let other):
                throw reader.unknown(other, among: ["--url", "--method", "--header", "--from", "-o"])
            }
        }
        guard let url else { throw UsageError("which request? write --url http://HOST/PATH") }
        var request = try ExplainedRequest(url: url, method: method, headers: headers)
        request.namespace = namespace
        let load = ManifestLoad(ManifestFiles(reading: paths.isEmpty ? ["routes"] : paths))
        guard load.refusal != .malformed else {
            for finding in load.findings where finding.isError { Output.error(finding.description) }
            return 1
        }
        var explanation = Explainer.explain(request, load.resolution.plan)
        if !explanation.authorization.isEmpty {
            explanation.notes.append(
                "the AuthorizationPolicies in force are named, not decided: they may refuse this request to its caller")
        }
        switch format {
        case .text: Output.print(explanation.text)
        case .json: Output.whole(explanation.json)
        }
        return explanation.isServed ? 0 : 1
    }

    private static func header(_ text: String) throws(UsageError) -> (name: String, value: String) {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            throw UsageError("--header '\(text)': write 'NAME: VALUE'")
        }
        let value = String(text[text.index(after: colon)...])
        return (String(text[..<colon]), value.withView { $0.trimmed.string })
    }
}

/// The request that is asked about, as it would arrive.
struct ExplainedRequest {
    var method: String
    /// `https`: the URL's host is the server name of the handshake too.
    var isSecure: Bool
    /// As in the URL, brackets of an IPv6 literal included.
    var host: String
    /// Of the URL; nil: none was written.
    var port: UInt16?
    /// Path and query.
    var target: String
    var headers: [(name: String, value: String)]
    /// The caller's; empty: unknown.
    var namespace = ""

    init(url: String, method: String, headers: [(name: String, value: String)]) throws(UsageError) {
        isSecure = url.lowercased().hasPrefix("https://")
        guard isSecure || url.lowercased().hasPrefix("http://") else {
            throw UsageError("--url '\(url)': write http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH")
        }
        let rest = url.dropFirst(isSecure ? 8 : 7)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        var target = String(rest.dropFirst(authority.count).prefix { $0 != "#" })
        if !target.hasPrefix("/") { target = "/" + target }
        var host = String(authority)
        port = nil
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            let text = String(host[host.index(after: colon)...])
            guard let number = UInt16(text), number > 0 else {
                throw UsageError("--url '\(url)': the port must be a number from 1 to 65535")
            }
            port = number
            host = String(host[..<colon])
        }
        guard !host.isEmpty else { throw UsageError("--url '\(url)': there is no host") }
        self.method = method
        self.host = host
        self.target = target
        self.headers = headers
    }

    var scheme: String { isSecure ? "https" : "http" }
    var url: String { scheme + "://" + host + (port.map { ":\($0)" } ?? "") + target }

    /// The request's head as it would come over the wire.
    var wire: ByteBuffer {
        var buffer = ByteBuffer(capacity: 1024)
        buffer.append(string: "\(method) \(target) HTTP/1.1\r\n")
        if !headers.contains(where: { $0.name.lowercased() == "host" }) {
            buffer.append(string: "Host: \(host)" + (port.map { ":\($0)" } ?? "") + "\r\n")
        }
        for (name, value) in headers { buffer.append(string: "\(name): \(value)\r\n") }
        buffer.append("\r\n")
        return buffer
    }
}
