import Core
import Glibc
import IO
import Synchronization

/// A running program of a test: started with its output in a file, ended when the test lets go of it.
public final class Program: @unchecked Sendable {
    public let pid: Int32
    private let outputPath: String
    private let ending = Mutex<Death?>(nil)

    /// A program that was built beside the tests.
    public static func built(_ name: String) -> String {
        if name == "sluice", let chosen = getenv("SLUICE_BIN") { return String(cString: chosen) }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let path = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
        return folder + "/" + name
    }

    /// - Parameters:
    ///   - environment: added to our own.
    ///   - output: the file that standard output and error go to.
    ///   - descriptorLimit: RLIMIT_NOFILE of the program, soft and hard; nil: as ours.
    public init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], output: String,
        descriptorLimit: Int? = nil
    ) throws {
        outputPath = output
        var words = [executable] + arguments
        if let descriptorLimit {
            // There is no attribute for limits in posix_spawn(3); the shell sets it and becomes the program.
            words = ["/bin/sh", "-c", "ulimit -n \(descriptorLimit); exec \"$0\" \"$@\""] + words
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A test runner may have signals blocked or ignored; the program starts with none, in a group of its own.
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        argv.append(nil)
        var environ: [UnsafeMutablePointer<CChar>?] = Self.environment(adding: environment).map { strdup($0) }
        environ.append(nil)
        defer { for word in argv + environ { free(word) } }
        var pid: pid_t = 0
        let result = posix_spawn(&pid, words[0], &actions, &attributes, argv, environ)
        guard result == 0 else { throw Errno(result) }
        self.pid = pid
    }

    deinit {
        guard death == nil else { return }
        kill(pid, SIGKILL)
        var status: CInt = 0
        waitpid(pid, &status, 0)
    }

    /// Everything it has printed so far.
    public var output: String { TemporaryFolder.text(outputPath) }

    public func signal(_ number: CInt) {
        if death == nil { kill(pid, number) }
    }

    /// How it ended; nil while it runs.
    public var death: Death? {
        ending.withLock { ending in
            if ending != nil { return ending }
            var status: CInt = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7F
            ending =
                signal != 0
                ? .killed(signal: UInt8(signal)) : .exited(code: UInt8(truncatingIfNeeded: status >> 8))
            return ending
        }
    }

    public func waitForEnd(within limit: TimeAmount = Wait.patience) throws -> Death {
        try Wait.forValue("the end of process \(pid); it printed:\n\(output)", within: limit) { death }
    }

    /// Its children's process numbers and command lines (proc(5)).
    public var children: [(pid: Int32, commandLine: String)] {
        let list = TemporaryFolder.text("/proc/\(pid)/task/\(pid)/children")
        return list.split(separator: " ").compactMap { Int32($0) }.map { child in
            let words = TemporaryFolder.text("/proc/\(child)/cmdline").split(separator: "\0")
            return (child, words.joined(separator: " "))
        }
    }

    /// User and system time of a process so far, in clock ticks (proc(5), stat).
    public static func cpuTicks(_ pid: Int32) -> Int {
        let stat = TemporaryFolder.text("/proc/\(pid)/stat")
        guard let close = stat.lastIndex(of: ")") else { return 0 }
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count > 12 else { return 0 }
        return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
    }

    private static func environment(adding: [String: String]) -> [String] {
        var result: [String] = []
        let own = TemporaryFolder.text("/proc/self/environ").split(separator: "\0").map(String.init)
        for entry in own where adding[String(entry.prefix { $0 != "=" })] == nil { result.append(entry) }
        return result + adding.map { "\($0)=\($1)" }
    }
}
