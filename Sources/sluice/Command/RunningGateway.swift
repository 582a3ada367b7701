import Core
import Glibc
import IO

/// Which running gateway a command is about: `--admin ADDR`, or `--pid-file FILE`, whose process tells the rest.
struct RunningGateway {
    var admin = RunOptions().admin
    /// Known when a pid file was named.
    var pid: Int32?

    static let options = """
          --admin ADDR            its admin interface: IP:PORT or unix:PATH (default 127.0.0.1:15000)
          --pid-file FILE         find it by this file instead
        """

    static let names = ["--admin", "--pid-file"]

    /// Takes one of the options in ``names``; false: it is another.
    mutating func take(_ option: String, _ reader: inout ArgumentReader) throws(UsageError) -> Bool {
        switch option {
        case "--admin": admin = try AdminAddress(option: try reader.value("ADDR"))
        case "--pid-file": try find(by: try reader.value("FILE"))
        default: return false
        }
        return true
    }

    private mutating func find(by file: String) throws(UsageError) {
        guard let octets = Self.contents(file) else {
            throw UsageError("--pid-file \(file): \(Errno(errno)); is the gateway running?")
        }
        let text = octets.withView { $0.upTo($0.firstIndex(of: ASCII.lf) ?? $0.count).trimmed.string }
        guard let number = Int32(text), number > 1, kill(number, 0) == 0 || errno == EPERM else {
            throw UsageError("--pid-file \(file): there is no process '\(text)'; the gateway is not running")
        }
        pid = number
        // The command line of the process says where its admin interface is.
        let words = (Self.contents("/proc/\(number)/cmdline") ?? [])
            .split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard let run = words.firstIndex(of: "run"),
            let options = try? RunOptions(arguments: Array(words[(run + 1)...].dropLast()))
        else {
            throw UsageError("--pid-file \(file): process \(number) is no 'sluice run'")
        }
        admin = options.admin
    }

    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var octets = [UInt8](repeating: 0, count: 64 * 1024)
        let count = fread(&octets, 1, octets.count, file)
        return Array(octets[..<count])
    }

    /// Reads the options of a command that has no others than these and perhaps `-o`.
    static func read(
        _ arguments: [String], format: inout OutputFormat, refusing refused: [String: String] = [:]
    ) throws(UsageError) -> RunningGateway {
        var gateway = RunningGateway()
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            switch argument {
            case .operand(let word): throw UsageError("takes no '\(word)'; only options")
            case .option("-o"), .option("--output"): format = try OutputFormat(option: try reader.value("text|json"))
            case .option(let name):
                if let reason = refused[name] { throw UsageError(reason) }
                guard try gateway.take(name, &reader) else { throw reader.unknown(name, among: names + ["-o"]) }
            }
        }
        return gateway
    }
}
