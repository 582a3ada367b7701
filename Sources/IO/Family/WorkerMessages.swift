import Core

/// What the supervisor tells a worker.
public enum WorkerOrder: FamilyMessage, Sendable {
    /// The worker's own listening socket of an address. It accepts from it (TCP), or takes datagrams from it (UDP), once a
    /// snapshot names the id, not before.
    ///
    /// The supervisor keeps a copy of the same open file, so closing ours does not take it out of epoll: remove it from
    /// the loop with `closing: false`.
    case socket(id: UInt32, address: ListeningAddress, SharedFD)
    /// No snapshot that the worker will still see names this socket: accept what waits in it, then close it.
    case closeSocket(id: UInt32)
    /// Map it (``SealedBlock``), swap it in, and report ``WorkerReport/live(generation:revision:)``. Orders arrive in the
    /// order of publication; of several that wait only the last needs to be swapped in and reported.
    case snapshot(generation: UInt64, revision: UInt64, SharedFD)
    /// Accept what waits, close the listening sockets and every idle connection, tell the busy ones; cut what is left
    /// after `timeout`, report ``WorkerReport/drained`` and exit with ``RoleExit/done``.
    case drain(timeout: TimeAmount)
    /// Open the log files again under their names.
    case reopenLogs
    /// Write out what is buffered in logs and exit with ``RoleExit/done`` now.
    case quit

    public var frame: Frame {
        var writer = FrameWriter()
        switch self {
        case .socket(let id, let address, let fd):
            writer.add(id)
            writer.add(address)
            return Frame(kind: 1, payload: writer.payload, descriptors: [fd])
        case .closeSocket(let id):
            writer.add(id)
            return Frame(kind: 2, payload: writer.payload)
        case .snapshot(let generation, let revision, let fd):
            writer.add(generation)
            writer.add(revision)
            return Frame(kind: 3, payload: writer.payload, descriptors: [fd])
        case .drain(let timeout):
            writer.add(timeout.nanoseconds)
            return Frame(kind: 4, payload: writer.payload)
        case .reopenLogs: return Frame(kind: 5)
        case .quit: return Frame(kind: 6)
        }
    }

    public init(_ frame: Frame) throws(MalformedFrame) {
        var reader = FrameReader(frame)
        switch frame.kind {
        case 1:
            self = .socket(
                id: try reader.number(), address: try reader.listeningAddress(), try reader.descriptor())
        case 2: self = .closeSocket(id: try reader.number())
        case 3:
            self = .snapshot(
                generation: try reader.number(), revision: try reader.number(), try reader.descriptor())
        case 4: self = .drain(timeout: try reader.amount())
        case 5: self = .reopenLogs
        case 6: self = .quit
        default: throw .unknownKind(frame.kind)
        }
        try reader.end()
    }
}

/// What a worker reports to the supervisor.
public enum WorkerReport: FamilyMessage, Equatable, Sendable {
    /// Its loop runs; sent once, before anything else.
    case ready
    /// New exchanges are served by this snapshot.
    case live(generation: UInt64, revision: UInt64)
    /// A drain has ended; the worker exits next.
    case drained

    public var frame: Frame {
        switch self {
        case .ready: return Frame(kind: 101)
        case .live(let generation, let revision):
            var writer = FrameWriter()
            writer.add(generation)
            writer.add(revision)
            return Frame(kind: 102, payload: writer.payload)
        case .drained: return Frame(kind: 103)
        }
    }

    public init(_ frame: Frame) throws(MalformedFrame) {
        var reader = FrameReader(frame)
        switch frame.kind {
        case 101: self = .ready
        case 102: self = .live(generation: try reader.number(), revision: try reader.number())
        case 103: self = .drained
        default: throw .unknownKind(frame.kind)
        }
        try reader.end()
    }
}
