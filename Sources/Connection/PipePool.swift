import IO

/// The pipes of one worker. A pipe that still holds octets is not kept: they belong to a body that broke off.
public final class PipePool {
    /// Octets a pipe may hold; with it, what a slow peer can keep in one direction of one exchange beside its block.
    public static let capacity = 256 * 1024
    /// Free pipes that are kept.
    static let kept = 64

    private var free: [Pipe] = []

    init() {}

    /// Nil when the process has no descriptors left: the body is copied then.
    func lease() -> Pipe? {
        if let pipe = free.popLast() { return pipe }
        return try? Pipe(capacity: Self.capacity)
    }

    func giveBack(_ pipe: Pipe) {
        if pipe.level == 0, free.count < Self.kept { free.append(pipe) }
    }
}
