import Core
import IO

/// One listening address of the family: duplicates of all its sockets, and where its connections go while the family is away.
final class HeldAddress {
    let address: SocketAddress
    /// By worker; nil: it has not come yet.
    private(set) var sockets: [HeldSocket?] = []
    /// The family's own word; empty: the guard's.
    var central: [SocketAddress] = []
    /// The family that is here now has named it.
    var isNamed = false
    private unowned let owner: Guard

    init(_ address: SocketAddress, owner: Guard) {
        self.address = address
        self.owner = owner
    }

    var count: Int { sockets.lazy.filter { $0 != nil }.count }

    /// Takes over what the family has sent. Sockets beyond its number are kept until it serves.
    func take(_ shared: SharedSockets) {
        while sockets.count < Int(shared.count) { sockets.append(nil) }
        for (offset, fd) in shared.sockets.enumerated() {
            let place = Int(shared.first) + offset
            let wasAccepting = sockets[place]?.isAccepting ?? false
            sockets[place]?.stop()
            sockets[place] = HeldSocket(fd, of: self, owner: owner)
            if wasAccepting { sockets[place]?.accept() }
        }
        wanted = Int(shared.count)
    }

    /// How many the family has.
    private var wanted = 0

    /// Gives up the sockets that the family has none of its own for: what waits in them is taken first.
    func closeSurplus() {
        for surplus in sockets.dropFirst(wanted) {
            surplus?.takeAll()
            surplus?.stop()
        }
        if sockets.count > wanted { sockets.removeLast(sockets.count - wanted) }
    }

    /// Somebody has to accept.
    func accept() { for socket in sockets { socket?.accept() } }

    func stop() { for socket in sockets { socket?.stop() } }

    /// Takes what waits, before the sockets are closed for good.
    func takeAll() { for socket in sockets { socket?.takeAll() } }

    /// Those that are there, for a family that comes back. One that ended while it told of them has told of some only.
    var all: [SharedFD] { sockets.compactMap { $0?.fd } }
}

/// One listening socket, of which the family has another duplicate.
final class HeldSocket: EventSource {
    let fd: SharedFD
    private unowned let address: HeldAddress
    private unowned let owner: Guard
    private(set) var isAccepting = false

    init(_ fd: SharedFD, of address: HeldAddress, owner: Guard) {
        self.fd = fd
        self.address = address
        self.owner = owner
    }

    deinit { precondition(!isAccepting, "a socket went while the loop still knew it") }

    func accept() {
        guard !isAccepting else { return }
        isAccepting = true
        owner.loop.addReader(fd.raw, self)
    }

    func stop() {
        guard isAccepting else { return }
        isAccepting = false
        // Others have the same open file: closing ours would leave it registered.
        owner.loop.remove(fd.raw, closing: false)
    }

    override func ready(_ events: ReadyEvents) {
        for _ in 0..<GuardLimits.acceptsPerTurn {
            guard isAccepting, take() else { return }
        }
    }

    /// As many as wait, at most so many as may wait.
    func takeAll() {
        for _ in 0..<Socket.backlog { if !take() { return } }
    }

    /// Takes one connection; false: none waits, or none can be taken.
    private func take() -> Bool {
        guard owner.hasRoom else {
            owner.pauseAccepting()
            return false
        }
        do throws(Errno) {
            guard let (raw, peer) = try Socket.accept(fd.raw) else { return false }
            owner.accepted(OwnedFD(adopting: raw), from: peer, at: address)
            return true
        } catch {
            owner.cannotAccept(error)
            return false
        }
    }
}
