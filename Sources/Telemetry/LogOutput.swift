import Core
import Glibc
import IO

/// Where log lines go: a descriptor of our own that never blocks the loop.
///
/// The standard descriptors are shared with whoever started us, so O_NONBLOCK must not be set on them: the same file is
/// opened once more by its name under /proc, which gives a description of our own. Where that is refused (a socket, or a
/// file of another user after privileges were dropped), each write asks poll(2) first: a pipe that polls writable takes
/// PIPE_BUF octets without blocking, so such an output is written in pieces of at most that.
final class LogOutput {
    /// What one write to a pipe may hold to be atomic among several writers (pipe(7)).
    static let pipeAtom = 4096

    enum Kind { case file, pipe }

    private var fd: CInt
    private let owned: Bool
    private let asksFirst: Bool
    let kind: Kind

    private init(fd: CInt, owned: Bool, asksFirst: Bool, kind: Kind) {
        self.fd = fd
        self.owned = owned
        self.asksFirst = asksFirst
        self.kind = kind
    }

    deinit { if owned { close(fd) } }

    /// A file that is made when it is not there; mode 0640, because it holds what people asked for.
    static func file(_ path: String) throws(Errno) -> LogOutput {
        let fd = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0o640)
        guard fd >= 0 else { throw Errno(errno) }
        return LogOutput(fd: fd, owned: true, asksFirst: false, kind: kind(of: fd))
    }

    /// Standard output (1) or standard error (2).
    static func standard(_ number: CInt) -> LogOutput {
        // A file that was redirected to without O_APPEND has an offset of its own: what the runtime says there when a
        // process traps would be written over our lines.
        let flags = fcntl(number, F_GETFL)
        if flags >= 0, kind(of: number) == .file { _ = fcntl(number, F_SETFL, flags | O_APPEND) }
        let own = Glibc.open("/proc/self/fd/\(number)", O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
        if own >= 0 { return LogOutput(fd: own, owned: true, asksFirst: false, kind: kind(of: own)) }
        return LogOutput(fd: number, owned: false, asksFirst: true, kind: .pipe)
    }

    private static func kind(of fd: CInt) -> Kind {
        var status = stat()
        guard fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return .pipe }
        return .file
    }

    /// One write. SIGPIPE must be ignored by the process.
    func write(_ view: ByteView) -> Transfer {
        guard let base = view.base, view.count > 0 else { return .octets(0) }
        if asksFirst {
            var question = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
            guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return .wouldBlock }
        }
        while true {
            let result = Glibc.write(fd, base, view.count)
            if result >= 0 { return .octets(result) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(Errno(errno))
            }
        }
    }
}
