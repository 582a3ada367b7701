import Core
import IO

/// A value in a log line; written bare when it is a plain word, else between quotes with escapes.
public enum LogValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, Sendable {
    case text(String)
    case number(Int64)

    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .number(value) }
    public init(_ view: ByteView) { self = .text(view.string) }
    public init(_ number: some BinaryInteger) { self = .number(Int64(clamping: number)) }
    public init(_ value: some CustomStringConvertible) { self = .text(value.description) }
}

/// The log of one process, on standard error: `2026-11-21T14:07:39.123Z info  worker[2]: configuration is live
/// generation=3`. The text is constant, so that lines can be counted; the facts follow as `key=value`.
///
/// For what happens now and then, never per request: a line may allocate. It never blocks; a line that standard error
/// does not take at once is lost.
public struct Log: @unchecked Sendable {
    /// A longer line is cut, so that the lines of several processes never mix (pipe(7), PIPE_BUF).
    public static let longestLine = 4096
    /// The most octets of one escaped value.
    public static let longestValue = 1024

    public let level: LogLevel
    /// Who speaks: `supervisor`, `controller`, `worker[2]`.
    public let speaker: String
    private let output: LogOutput

    public init(level: LogLevel, speaker: String) {
        self.level = level
        self.speaker = speaker
        output = LogOutput.standard(2)
    }

    public func debug(_ text: StaticString, _ facts: KeyValuePairs<StaticString, LogValue> = [:]) {
        write(.debug, text, facts)
    }
    public func info(_ text: StaticString, _ facts: KeyValuePairs<StaticString, LogValue> = [:]) {
        write(.info, text, facts)
    }
    public func warning(_ text: StaticString, _ facts: KeyValuePairs<StaticString, LogValue> = [:]) {
        write(.warning, text, facts)
    }
    public func error(_ text: StaticString, _ facts: KeyValuePairs<StaticString, LogValue> = [:]) {
        write(.error, text, facts)
    }

    /// For whoever holds the facts as values, not as a literal.
    public func write(
        _ level: LogLevel, _ text: StaticString, _ facts: some Sequence<(key: StaticString, value: LogValue)>
    ) {
        guard level >= self.level else { return }
        var line = Self.line(SystemCalls.wallNow(), level, speaker: speaker, text, facts)
        if line.count > Self.longestLine {
            line.truncate(line.count - Self.longestLine + 1)
            line.append(byte: ASCII.lf)
        }
        _ = output.write(line.view)
    }

    static func line(
        _ wall: Int64, _ level: LogLevel, speaker: String, _ text: StaticString,
        _ facts: some Sequence<(key: StaticString, value: LogValue)>
    ) -> ByteBuffer {
        var line = ByteBuffer(capacity: 256)
        var clock = Timestamp()
        clock.write(wall, to: &line)
        line.append(byte: ASCII.space)
        line.append(string: level.rawValue)
        line.append(byte: ASCII.space)
        line.append(string: speaker)
        line.append(": ")
        line.append(text)
        for (key, value) in facts {
            line.append(byte: ASCII.space)
            line.append(key)
            line.append(byte: ASCII.equals)
            switch value {
            case .number(let number): line.append(string: String(number))
            case .text(let text): text.withView { append($0, to: &line) }
            }
        }
        line.append(byte: ASCII.lf)
        return line
    }

    private static func append(_ value: ByteView, to line: inout ByteBuffer) {
        var plain = !value.isEmpty && value.count <= longestValue
        for i in value.indices where plain {
            let byte = value[i]
            plain = byte > ASCII.space && byte < 0x7F && byte != 0x22 && byte != ASCII.equals && byte != 0x5C
        }
        if plain {
            line.append(value)
        } else {
            line.append(quoted: value, limit: longestValue)
        }
    }
}
