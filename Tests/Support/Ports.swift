import Core
import Glibc
import IO
import Synchronization

/// Ports of 127.0.0.1 that nobody listens on. Below the range of outgoing connections, so that none of those takes one
/// between our look and the test's use of it; each is handed out once.
public enum Ports {
    private static let range = 10_000..<32_000
    private static let next = Mutex<Int>(range.lowerBound + Int(getpid()) * 131 % range.count)

    public static func free() throws -> UInt16 {
        for _ in range {
            let port = next.withLock { next in
                next = next + 1 < range.upperBound ? next + 1 : range.lowerBound
                return UInt16(next)
            }
            if Socket.conflict(SocketAddress(ip: .any, port: port)) == nil { return port }
        }
        throw TimedOut("no port of \(range) is free")
    }

    /// Whether connections are refused: nobody listens. One that only hangs is not refused.
    public static func isClosed(_ port: UInt16) -> Bool {
        do {
            _ = try Client(port: port)
            return false
        } catch {
            return error as? Errno == Errno(ECONNREFUSED)
        }
    }
}
