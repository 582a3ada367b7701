import Controller
import Core
import Glibc
import IO
import Manifest

extension Command {
    static let check = Command(
        name: "check", synopsis: "check [OPTION…] [PATH…]",
        summary: "Loads and validates manifests exactly as run would (default: routes); binds nothing.",
        options: """
              -o text|json            findings a line each (default), or resources with their .status and findings

            Exit status: 0 nothing is wrong; 1 something is malformed or unresolved; 2 the command line is wrong.
            """
    ) { arguments throws(UsageError) in
        var paths: [String] = []
        var format = OutputFormat.text
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let path): paths.append(path)
            case .option("-o"), .option("--output"): format = try OutputFormat(option: try reader.value("text|json"))
            case .option(let other): throw reader.unknown(other, among: ["-o"])
            }
        }
        var load = ManifestLoad(ManifestFiles(reading: paths.isEmpty ? ["routes"] : paths))
        // Without the list of addresses there is nothing to say about them.
        if let host = try? HostAddresses() { load.resolve(boundOn: host) }
        let findings = load.findings
        switch format {
        case .text: tell(load, findings)
        case .json: Output.whole(json(load, findings))
        }
        return findings.contains(where: \.isError) ? 1 : 0
    }

    private static func tell(_ load: ManifestLoad, _ findings: [Finding]) {
        for finding in findings { Output.print(finding.description) }
        let errors = findings.count { $0.isError }
        let warnings = findings.count - errors
        let count = load.resolution.resourceCount + load.resolution.set.malformedCount
        var summary = "\(count) resource\(count == 1 ? "" : "s"): "
        summary += errors == 0 ? "nothing is wrong" : "\(errors) error\(errors == 1 ? "" : "s")"
        if warnings > 0 { summary += ", \(warnings) warning\(warnings == 1 ? "" : "s")" }
        Output.error(summary)
    }

    /// As the admin interface's `/api/resources`, with the findings.
    private static func json(_ load: ManifestLoad, _ findings: [Finding]) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        json.key("resources")
        load.resolution.writeResources(to: &json)
        json.key("findings")
        json.beginArray()
        for finding in findings { finding.write(to: &json) }
        json.endArray()
        json.endObject()
        var buffer = json.finish()
        buffer.append(byte: ASCII.lf)
        return buffer
    }
}

/// The value of `-o`.
enum OutputFormat: String {
    case text, json

    init(option text: String) throws(UsageError) {
        guard let format = OutputFormat(rawValue: text) else { throw UsageError("-o '\(text)': write text or json") }
        self = format
    }
}

extension Output {
    /// All of it to standard output, whatever the pipe's size.
    static func whole(_ text: consuming ByteBuffer) {
        while !text.isEmpty {
            let result = Glibc.write(1, text.view.base, text.count)
            if result < 0, errno != EINTR { return }
            text.consume(max(0, result))
        }
    }
}
