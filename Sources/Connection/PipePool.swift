import IO

/// The pipes of one worker. A pipe that still holds octets is not kept: they belong to a body that broke off.
public final class PipePool {
    /// Octets a pipe may hold; with it, what a slow peer can keep in one direction of one exchange beside its block. Measured
    /// with bodies of 10 MiB, four times the size saved a tenth of their processor time.
    public static let capacity = 1 << 20
    /// Free pipes that are kept.
    static let kept = 64

    /// Pipes that may be lent at once: two descriptors each, and by default 128 MiB of the kernel's memory a worker.
    public var limit = 128
    public private(set) var lent = 0
    private var free: [Pipe] = []

    init() {}

    /// Nil at the limit, and when the process has no descriptors left: the body is copied then.
    func lease() -> Pipe? {
        guard lent < limit, let pipe = free.popLast() ?? (try? Pipe(capacity: Self.capacity)) else { return nil }
        lent += 1
        return pipe
    }

    func giveBack(_ pipe: Pipe) {
        lent -= 1
        if pipe.level == 0, free.count < Self.kept { free.append(pipe) }
    }
}
