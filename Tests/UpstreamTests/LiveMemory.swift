import Core
import Glibc
import Upstream

/// Shared memory of a family, for tests: as many workers as are asked for, all in this process. It is left to the process:
/// a `LiveState` does not keep what it reads.
final class LiveMemory {
    private let base: UnsafeMutableRawPointer
    let workers: Int

    init(workers: Int = 1) {
        self.workers = workers
        // calloc(3) gives pages that take no memory until they are written, as shared memory does.
        guard let base = calloc(1, LiveState.size(workers: workers)) else { fatalError("out of memory") }
        self.base = base
    }

    func worker(_ index: Int = 0) -> LiveState { LiveState(base: base, workers: workers, worker: index) }
}
