/// Something that waits for its turn in ``FairQueues``: made once by its owner, used again and again.
///
/// The queues do not hold it: its owner takes it out before it goes.
open class FairPlace {
    /// Whose work it is: a hash of service and caller. To be set only while it does not wait.
    public final var flow: UInt64 = 0
    /// How many shares the flow has, 1 to ``FairQueues/weightLimit``.
    public final var weight: UInt32 = 1
    /// The number of the queue that it waits in; -1: it does not wait.
    public internal(set) final var queue: Int32 = -1
    final var next: Unmanaged<FairPlace>?
    final var previous: Unmanaged<FairPlace>?

    public init() {}

    deinit { precondition(queue < 0, "a place went while it waited") }

    public final var isWaiting: Bool { queue >= 0 }
}
