import Config
import Core
import IO
import Manifest

/// The set of manifests that the workers serve.
struct LiveSet {
    /// Nil when a controller came back and could not make sense of the text that runs: the workers go on, but there are no
    /// statuses until the next reload.
    var resolution: Resolution?
    var generation: UInt64
    var revision: UInt64
    var hash: UInt64
    /// Wall clock, nanoseconds since 1970.
    var loadedAt: Int64
    /// The block that was published; names and slots are read from it.
    var block: SealedBlock
    var sockets: [UInt32]
    var deposit: SharedFD?
    var unbound: [ListeningAddress]

    /// Traps when the block is no snapshot: it was checked when it was made or taken over.
    var snapshot: Snapshot {
        guard let snapshot = Snapshot(base: block.base, size: block.size) else {
            preconditionFailure("the published block is no snapshot")
        }
        return snapshot
    }
}

/// Why a load was begun.
enum ReloadTrigger: String, Sendable {
    case start, signal, request, watch
    /// Files that the manifests name have changed; the manifests are taken as they were.
    case files
}

/// What came of one attempt to load a set; `/api/config` shows the last.
struct ReloadOutcome {
    var trigger: ReloadTrigger
    /// Wall clock of its end, nanoseconds since 1970.
    var at: Int64
    /// Of the set that runs now, whether this attempt brought it or not.
    var generation: UInt64
    var isApplied: Bool
    /// One sentence.
    var message: String
    var findings: [Finding]
}
