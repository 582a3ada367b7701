import IO

/// The pipes of a guard. A direction of a connection has one while octets are under way in it, so idle connections cost
/// two sockets and nothing else.
final class PipeShelf {
    private var free: [Pipe] = []

    /// Nil: the system has no descriptors, or no memory for pipes.
    func lease() -> Pipe? { free.popLast() ?? (try? Pipe(capacity: GuardLimits.pipeCapacity)) }

    func giveBack(_ pipe: Pipe) {
        // What is still in it belongs to a connection that broke off.
        if pipe.level == 0, free.count < GuardLimits.freePipes { free.append(pipe) }
    }
}
