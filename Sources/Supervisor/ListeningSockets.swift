import Core
import Glibc
import IO

/// The listening sockets of the family: for each address one of each worker, open until no publication uses it.
///
/// An address is known by its transport, too: TCP and UDP have ports of their own.
///
/// Worker *i* always gets socket *i*, so when it dies the connections that wait in its socket wait for the next process
/// instead of being reset (SO_REUSEPORT spreads connections over sockets when they arrive, not when they are accepted).
/// Datagrams are spread by the same hash of both addresses, so those of one client come to one worker.
struct ListeningSockets {
    private struct Entry {
        let address: ListeningAddress
        /// By worker.
        let sockets: [SharedFD]
        /// A publication named it since it was last asked for. Only then may a later publication end it: before, the
        /// controller is still about to use it.
        var published: Bool
    }

    private let workers: Int
    private var entries: [UInt32: Entry] = [:]
    private var ids: [ListeningAddress: UInt32] = [:]
    private var lastId: UInt32 = 0
    /// What a guard has kept of an earlier family, until it is asked for.
    private var kept: [SocketAddress: [SharedFD]] = [:]

    init(workers: Int) { self.workers = workers }

    var isEmpty: Bool { entries.isEmpty }
    var all: [Binding] {
        entries.sorted { $0.key < $1.key }.map { Binding(address: $1.address, outcome: .bound(id: $0)) }
    }

    /// Opens an address's sockets, or finds them open. All of them or none.
    mutating func bind(_ address: ListeningAddress) -> Binding {
        do throws(Errno) {
            if let id = ids[address], let entry = entries[id] {
                if address.isTransparent { try Self.makeTransparent(entry.sockets, address) }
                entries[id]?.published = false
                return Binding(address: address, outcome: .bound(id: id))
            }
            guard entries.count < ControllerRequest.addressLimit else { throw Errno(EMFILE) }
            var sockets = takeKept(address)
            // Where a port is ours already, on another address, the probe would meet our own socket.
            if sockets.isEmpty, !isKept(port: address.address.port, address.transport),
                !ids.keys.contains(where: {
                    $0.transport == address.transport && $0.address.port == address.address.port
                }), let conflict = Socket.conflict(address)
            {
                throw conflict
            }
            while sockets.count < workers { sockets.append(SharedFD(try Socket.listen(address))) }
            if address.isTransparent { try Self.makeTransparent(sockets, address) }
            lastId += 1
            entries[lastId] = Entry(address: address, sockets: sockets, published: false)
            ids[address] = lastId
            return Binding(address: address, outcome: .bound(id: lastId))
        } catch {
            return Binding(address: address, outcome: .failed(error))
        }
    }

    /// One that was made so stays so: a rule of the kernel that leads nothing there is all that takes it back.
    private static func makeTransparent(_ sockets: [SharedFD], _ address: ListeningAddress) throws(Errno) {
        for socket in sockets {
            // What it was bound to tells the family: without IPv6, `[::]` is `0.0.0.0`.
            let local = Socket.localAddress(socket.raw) ?? address.address
            try Socket.setTransparent(socket.raw, true, isV4: local.ip.isV4)
        }
    }

    // MARK: what a guard has kept

    /// From now on these are used instead of new ones: what waits in them is not lost.
    mutating func keep(_ sockets: [SocketAddress: [SharedFD]]) { kept = sockets }

    /// Nobody asks for the others any more.
    mutating func forgetKept() { kept = [:] }

    private mutating func takeKept(_ address: ListeningAddress) -> [SharedFD] {
        guard address.transport == .tcp, let found = kept.removeValue(forKey: address.address) else { return [] }
        // Those beyond the number of workers stay with the guard, which takes what waits in them.
        return Array(found.prefix(workers))
    }

    private func isKept(port: UInt16, _ transport: SocketTransport) -> Bool {
        transport == .tcp && kept.keys.contains { $0.port == port }
    }

    /// All sockets of connections that publications have come to use.
    var published: [SocketAddress: [SharedFD]] {
        var found: [SocketAddress: [SharedFD]] = [:]
        for entry in entries.values where entry.published && entry.address.transport == .tcp {
            found[entry.address.address] = entry.sockets
        }
        return found
    }

    // MARK: use

    func contains(_ id: UInt32) -> Bool { entries[id] != nil }

    /// The socket of one worker.
    func socket(_ id: UInt32, worker: Int) -> (address: ListeningAddress, fd: SharedFD)? {
        entries[id].map { ($0.address, $0.sockets[worker]) }
    }

    mutating func markPublished(_ used: [UInt32]) {
        for id in used { entries[id]?.published = true }
    }

    /// Those that an earlier publication used and this one does not.
    func retired(by publication: Publication) -> [UInt32] {
        let used = Set(publication.sockets)
        return entries.filter { $1.published && !used.contains($0) }.map(\.key).sorted()
    }

    /// Closes our copies of an address's sockets.
    mutating func close(_ id: UInt32) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        ids[entry.address] = nil
    }

    mutating func closeAll() {
        entries = [:]
        ids = [:]
    }
}
