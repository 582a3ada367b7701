import Core
import Glibc
import IO

// What families and others say to the guard.
extension Guard {
    // MARK: processes that talk to it

    func admit(_ fd: consuming OwnedFD) {
        guard let peer = try? MessageSocket.peer(of: fd.raw), peer.uid == 0 || peer.uid == geteuid(),
            links.count < GuardLimits.links
        else { return tell(Notice(.warning, "a process was turned away", [("links", "\(links.count)")])) }
        let link = GuardLink(fd, pid: peer.pid, owner: self)
        links[ObjectIdentifier(link)] = link
    }

    func knows(_ link: GuardLink) -> Bool { links[ObjectIdentifier(link)] != nil }

    /// It breaks the rules, or does not listen: no more of it.
    func drop(_ link: GuardLink, because reason: String) {
        tell(Notice(.warning, "a process was dropped", [("pid", "\(link.pid)"), ("reason", reason)]))
        closed(link)
    }

    func closed(_ link: GuardLink) {
        guard links.removeValue(forKey: ObjectIdentifier(link)) != nil else { return }
        loop.remove(link.link.descriptor)
        guard link === family else { return }
        family = nil
        isServed = false
        guard !isStandingIn else { return }
        // The link may be lost while the family lives: then its workers accept, and two would take each other's. The end
        // of its process is what counts, and follows the end of its link within a moment.
        if let watch = link.life, !ProcessEnd.hasCome(watch.fd.raw) {
            lastBreath = (watch, link.pid)
            loop.addReader(watch.fd.raw, watch)
        } else {
            standIn("the gateway is gone")
        }
    }

    /// The guard ends: they look for the next one.
    func leaveAll() {
        for link in links.values { loop.remove(link.link.descriptor) }
        links = [:]
        family = nil
        isServed = false
        forgetLastBreath()
    }

    private func familyIsGone() {
        forgetLastBreath()
        if family == nil, !isStandingIn { standIn("the gateway is gone") }
    }

    private func forgetLastBreath() {
        guard let lastBreath else { return }
        loop.remove(lastBreath.watch.fd.raw, closing: false)
        self.lastBreath = nil
    }

    // MARK: what families say

    func received(_ order: GuardOrder, from link: GuardLink) {
        switch order {
        case .status: return link.say(.status(status))
        case .hello(let version): return greet(link, version)
        case .sockets, .central, .drop, .serving, .leaving: break
        }
        guard link === family else { return drop(link, because: "it is not the family") }
        switch order {
        case .sockets(let shared): take(shared, from: link)
        case .central(let address, let central):
            guard let held = addresses[address] else { return }
            held.central = central
            if isStandingIn { if isCovered(held), !isPaused { held.accept() } else { held.stop() } }
        case .drop(let address): addresses.removeValue(forKey: address)?.stop()
        case .serving: familyServes()
        case .leaving:
            family = nil
            isServed = false
            if !isStandingIn { standIn("the gateway leaves") }
        case .status, .hello: break
        }
    }

    private func greet(_ link: GuardLink, _ version: UInt16) {
        guard !isEnding, version == GuardProtocol.version else { return link.say(.refused) }
        // Its predecessor may be gone, and that not read yet.
        if let family, family !== link { family.ready([]) }
        if let lastBreath, lastBreath.pid != link.pid, ProcessEnd.hasCome(lastBreath.watch.fd.raw) { familyIsGone() }
        guard family == nil || family === link, lastBreath == nil || lastBreath?.pid == link.pid else {
            tell(Notice(.warning, "a second gateway was turned away", [("pid", "\(link.pid)")]))
            return link.say(.refused)
        }
        forgetLastBreath()
        // While it lives for sure: later its number may be another process's.
        if link.life == nil, let watch = try? ProcessEnd.watch(link.pid) {
            link.life = ProcessWatch(watch) { [unowned self] in familyIsGone() }
        }
        family = link
        isServed = false
        var count: UInt32 = 0
        for held in addresses.values {
            held.isNamed = false
            let sockets = held.all
            guard !sockets.isEmpty else { continue }
            count += 1
            for shared in SharedSockets.all(held.address, sockets) { link.say(.held(shared)) }
            // It was dropped, since it does not read: a part of the list is worse than none.
            guard knows(link) else { return }
        }
        link.say(.allHeld(count))
    }

    private func take(_ shared: SharedSockets, from link: GuardLink) {
        guard shared.sockets.allSatisfy({ Socket.isListening($0.raw, at: shared.address) }) else {
            return drop(link, because: "it sent what is no socket of \(shared.address)")
        }
        guard let held = addresses[shared.address] ?? room(for: shared.address) else {
            return drop(link, because: "it has more addresses than a guard may hold")
        }
        held.take(shared)
        held.isNamed = true
    }

    private func room(for address: SocketAddress) -> HeldAddress? {
        guard addresses.count < GuardLimits.addresses else { return nil }
        let held = HeldAddress(address, owner: self)
        addresses[address] = held
        return held
    }

    private func familyServes() {
        isServed = true
        let wasStandingIn = isStandingIn
        // At once: relays that end while the rest is taken would have the guard accept again.
        isStandingIn = false
        for held in addresses.values where !held.isNamed {
            if wasStandingIn, isCovered(held) { held.takeAll() }
            held.stop()
            addresses[held.address] = nil
        }
        for held in addresses.values {
            held.stop()
            held.closeSurplus()
        }
        isPaused = false
        guard wasStandingIn else { return }
        tell(
            Notice(
                .info, "the gateway is back: the guard stops accepting",
                [("pid", "\(family?.pid ?? 0)"), ("addresses", "\(addresses.count)"), ("relays", "\(relays.count)")]))
        for relay in relays { relay.mayLast(options.linger) }
    }
}
