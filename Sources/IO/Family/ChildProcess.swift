import CLinux
import Core
import Glibc

/// Starting processes and learning of their deaths.
public enum ChildProcess {
    /// Starts a program with these descriptors under these numbers and nothing else of ours; standard input, output and
    /// error are shared. Signals that are blocked stay so (posix_spawn(3)).
    /// - Returns: its process number.
    public static func spawn(
        _ executable: String, _ arguments: [String], inherited: [(fd: SharedFD, number: CInt)]
    ) throws(Errno) -> Int32 {
        // dup2 in the child works through the list: a source must not lie where an earlier target was put.
        var sources: [SharedFD] = []
        for (fd, _) in inherited {
            guard fd.raw < InheritedFD.end else {
                sources.append(fd)
                continue
            }
            let raw = clinux_duplicate(fd.raw, InheritedFD.end)
            guard raw >= 0 else { throw Errno(-raw) }
            sources.append(SharedFD(OwnedFD(adopting: raw)))
        }
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        let numbers = inherited.map(\.number)
        let pid = withExtendedLifetime(sources) {
            clinux_spawn(executable, words, sources.map(\.raw), numbers, CInt(numbers.count))
        }
        guard pid > 0 else { throw Errno(-pid) }
        return pid
    }

    /// The next child that has died, whichever it is; nil when there is none (waitpid(2)).
    public static func reap() -> (pid: Int32, death: Death)? {
        while true {
            var status: CInt = 0
            let pid = waitpid(-1, &status, WNOHANG)
            if pid < 0, errno == EINTR { continue }
            guard pid > 0 else { return nil }
            let signal = clinux_term_signal(status)
            if signal != 0 { return (pid, .killed(signal: UInt8(truncatingIfNeeded: signal))) }
            return (pid, .exited(code: UInt8(truncatingIfNeeded: clinux_exit_code(status))))
        }
    }
}

/// How a process ended.
public enum Death: Equatable, Sendable, CustomStringConvertible {
    case exited(code: UInt8)
    case killed(signal: UInt8)

    public var description: String {
        switch self {
        case .exited(let code): "exit \(code)"
        case .killed(let signal):
            if let name = clinux_signal_name(CInt(signal)) { "SIG" + String(cString: name) } else { "signal \(signal)" }
        }
    }
}
