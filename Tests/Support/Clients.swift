import Core
import Glibc

/// Peers that others wrote: the Python programs of `Tests/Clients`, and tools such as curl. `make deps-test` installs what
/// they need; a test that cannot have them fails, and says so.
public enum Clients {
    /// What a program did from start to end.
    public struct Outcome: Sendable {
        /// The exit status; nil when a signal ended it.
        public let code: UInt8?
        /// Standard output and error together.
        public let output: String

        public var lines: [String] { output.split(separator: "\n").map(String.init) }

        /// The values of all lines `word value`, in order.
        public func values(_ word: String) -> [String] { Clients.values(word, in: output) }
        /// The value of the first line `word value`.
        public func value(_ word: String) -> String? { values(word).first }
    }

    /// A client or backend that goes on while the test does; ended when the test lets go of it.
    public final class Running: Sendable {
        public let program: Program
        private let folder: TemporaryFolder

        fileprivate init(_ words: [String]) throws {
            folder = try TemporaryFolder()
            program = try Program(
                words[0], Array(words.dropFirst()), environment: ["PYTHONDONTWRITEBYTECODE": "1"],
                output: folder.path + "/output")
        }

        /// Everything it has printed so far.
        public var output: String { program.output }

        /// The values of all lines `word value` printed so far.
        public func values(_ word: String) -> [String] { Clients.values(word, in: output) }

        /// Waits until `word` was printed `count` times; returns the value of that line.
        @discardableResult
        public func wait(
            for word: String, count: Int = 1, within limit: TimeAmount = Wait.patience
        ) throws -> String {
            try Wait.forValue("'\(word)' \(count) times; it printed:\n\(output)", within: limit) {
                let values = self.values(word)
                if values.count >= count { return values[count - 1] }
                if let death = program.death {
                    throw TimedOut("it ended (\(death)) without '\(word)' \(count) times; it printed:\n\(output)")
                }
                return nil
            }
        }

        /// Waits for its end.
        public func finish(within limit: TimeAmount = Wait.patience) throws -> Outcome {
            let code: UInt8? =
                switch try program.waitForEnd(within: limit) {
                case .exited(let code): code
                default: nil
                }
            return Outcome(code: code, output: output)
        }
    }

    /// Runs a program of `Tests/Clients` to its end.
    /// - Parameter name: its file's name without `.py`.
    public static func run(
        _ name: String, _ arguments: [String], within limit: TimeAmount = .seconds(60)
    ) throws -> Outcome {
        try start(name, arguments).finish(within: limit)
    }

    /// Starts a program of `Tests/Clients`.
    public static func start(_ name: String, _ arguments: [String]) throws -> Running {
        try Running([python(), folder + "/" + name + ".py"] + arguments)
    }

    /// Starts a backend of `Tests/Clients` and returns it with its port, as soon as it listens.
    public static func backend(_ name: String, _ arguments: [String] = []) throws -> (running: Running, port: UInt16) {
        let running = try start(name, arguments)
        let ready = try running.wait(for: "ready")
        guard let port = UInt16(ready) else { throw TimedOut("'ready \(ready)' names no port") }
        return (running, port)
    }

    /// Runs an installed tool (`curl`, `nghttp`, `h2load`, `openssl`) to its end, with nothing on its standard input.
    public static func tool(
        _ name: String, _ arguments: [String], within limit: TimeAmount = .seconds(60)
    ) throws -> Outcome {
        try startTool(name, arguments).finish(within: limit)
    }

    /// Starts an installed tool.
    public static func startTool(_ name: String, _ arguments: [String]) throws -> Running {
        let search = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        for place in search.split(separator: ":") where access("\(place)/\(name)", X_OK) == 0 {
            return try Running(["\(place)/\(name)"] + arguments)
        }
        throw Missing(what: "'\(name)' is not on PATH")
    }

    /// What `make deps-test` would have installed.
    public struct Missing: Error, CustomStringConvertible {
        let what: String
        public var description: String { "\(what); 'make deps-test' installs what the tests call" }
    }

    /// The Python that has the packages of `Tests/Clients/requirements.txt`: SLUICE_TEST_PYTHON, which `make test` sets, else
    /// the one that `make deps-test` makes in this clone.
    private static func python() throws -> String {
        let made = Repository.root + "/.build/test-venv/bin/python3"
        let path = getenv("SLUICE_TEST_PYTHON").map { String(cString: $0) } ?? made
        guard access(path, X_OK) == 0 else { throw Missing(what: "there is no Python at '\(path)'") }
        return path
    }

    private static let folder = Repository.root + "/Tests/Clients"

    private static func values(_ word: String, in output: String) -> [String] {
        output.split(separator: "\n").compactMap { line in
            guard line.hasPrefix(word) else { return nil }
            let rest = line.dropFirst(word.count)
            return rest.isEmpty ? "" : rest.first == " " ? String(rest.dropFirst()) : nil
        }
    }
}
