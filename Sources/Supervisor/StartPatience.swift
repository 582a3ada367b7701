import Core
import Glibc
import IO

/// How long a start waits for addresses that are taken: a gateway that was killed and is started again at once meets the
/// last of its processes, which the kernel is about to end. Nothing is live yet, so nobody waits meanwhile.
struct StartPatience {
    /// For all addresses together.
    static let length = TimeAmount.seconds(1)
    /// Between two attempts, in microseconds.
    private static let pause: UInt32 = 10_000

    private let end = SystemCalls.monotonicNow() + length

    /// Blocks for a moment, as long as another attempt may do better. False: it may not, or there was time enough.
    func pauses(after error: Errno) -> Bool {
        guard error.code == EADDRINUSE, SystemCalls.monotonicNow() < end else { return false }
        usleep(Self.pause)
        return true
    }
}
