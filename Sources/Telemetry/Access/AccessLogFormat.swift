/// How a line of the access log is written, and the option's text for it.
public enum AccessLogFormat: String, Sendable, CaseIterable {
    /// One line in the manner of Envoy's default format, extended at its end (docs/access-log.md).
    case text
    /// One JSON object a line; every key always there, `null` for what there was not.
    case json
}

/// Where and how accesses are logged: `--access-log FORMAT[:PATH]|off`.
public enum AccessLogOption: Equatable, Sendable {
    case off
    case standardOutput(AccessLogFormat)
    case file(AccessLogFormat, path: String)

    /// Reads `text`, `json`, `text:/var/log/sluice/access.log`, `off`; nil when it is none of them.
    public init?(_ text: String) {
        if text == "off" {
            self = .off
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let format = AccessLogFormat(rawValue: String(parts[0])) else { return nil }
        guard parts.count == 2 else {
            self = .standardOutput(format)
            return
        }
        guard !parts[1].isEmpty else { return nil }
        self = parts[1] == "-" ? .standardOutput(format) : .file(format, path: String(parts[1]))
    }
}
