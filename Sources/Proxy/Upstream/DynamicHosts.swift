import Config
import Core
import HTTP
import IO
import Names
import Telemetry

/// Where the hosts are that requests name themselves (Backend of type DynamicResolver): looked up in this worker, used for
/// their time to live, and longer where DNS fails. Owned by the worker.
///
/// Limits: ``hostLimit`` hosts, of which one goes for each new one that has not been asked for in a while (the clock algorithm
/// of page replacement), and none that is waited for; ``waitersLimit`` requests that wait for one answer; ``addressLimit``
/// addresses of a host.
final class DynamicHosts {
    /// Who waits for a host's addresses.
    protocol Waiter: AnyObject {
        /// The answer came; never ``Outcome/waiting``.
        func hostResolved(_ outcome: Outcome)
    }

    static let hostLimit = 1024
    /// So many hosts are looked at, at most, for one that may go.
    static let evictionSteps = 64
    static let waitersLimit = 256
    static let addressLimit = 16
    static let shortestLife = TimeAmount.seconds(1)
    static let longestLife = TimeAmount.seconds(300)
    /// After a failure a host is not asked for again for so long; what was known of it serves on.
    static let failureLife = TimeAmount.seconds(5)

    enum Outcome {
        case addresses([IPAddress])
        /// Who asks is told later, by ``Waiter/hostResolved(_:)``.
        case waiting
        /// There is no such host, or nobody could tell.
        case failed
        /// It is on this machine or its links, or this gateway itself.
        case forbidden
        case overloaded
    }

    private final class Host {
        let name: String
        let key: Int
        /// Since the search for one that may go passed it.
        var wasAsked = true
        var addresses: [IPAddress] = []
        var validUntil = Instant(nanoseconds: 0)
        var isAsking = false
        var waiting: [any Waiter] = []
        init(_ name: String, key: Int) {
            self.name = name
            self.key = key
        }
    }

    private let worker: Worker
    private var hosts: [Int: Host] = [:]
    /// The same, in the order in which they are looked at.
    private var ring: [Host] = []
    /// Where the search for one that may go goes on.
    private var hand = 0
    var count: Int { hosts.count }
    private lazy var resolver = NameResolver(loop: worker.loop, servers: servers)
    private let servers: String?

    /// - Parameter servers: as `--dns-server` has them; nil: those of resolv.conf.
    init(worker: Worker, servers: String?) {
        self.worker = worker
        self.servers = servers
    }

    /// - Parameter host: without port, an IPv6 address in brackets.
    func resolve(_ host: ByteView, for waiter: any Waiter) -> Outcome {
        if let address = Self.literal(host) { return .addresses([address]) }
        guard !host.isEmpty, host.count <= 253 else { return .failed }
        guard let known = self.host(host) else { return .overloaded }
        known.wasAsked = true
        if worker.loop.now >= known.validUntil, !known.isAsking { ask(known) }
        // What has grown old serves while it is asked for anew.
        if !known.addresses.isEmpty { return .addresses(known.addresses) }
        guard known.isAsking else { return .failed }
        guard known.waiting.count < Self.waitersLimit else { return .overloaded }
        known.waiting.append(waiter)
        return .waiting
    }

    /// `waiter` waits no more.
    func cancel(_ waiter: any Waiter) {
        for host in hosts.values { host.waiting.removeAll { $0 === waiter } }
    }

    private static func literal(_ host: ByteView) -> IPAddress? {
        if host.count > 2, host[0] == UInt8(ascii: "["), host[host.count - 1] == UInt8(ascii: "]") {
            return IPAddress(host[1..<(host.count - 1)])
        }
        return IPAddress(host)
    }

    /// Found by a hash with a key of this process's own, so that nobody can make names that share one.
    /// Nil: there is no place for one more.
    private func host(_ name: ByteView) -> Host? {
        var hasher = Hasher()
        for i in name.indices { hasher.combine(ASCII.lower(name[i])) }
        let key = hasher.finalize()
        if let known = hosts[key] { return known }
        let made = Host(name.string.lowercased(), key: key)
        if ring.count < Self.hostLimit {
            ring.append(made)
        } else {
            guard let place = placeToFree() else { return nil }
            hosts[ring[place].key] = nil
            ring[place] = made
        }
        hosts[key] = made
        return made
    }

    /// One that nobody has asked for since the hand passed it, else any that is not being asked for; nil: the next ones all are.
    private func placeToFree() -> Int? {
        var second: Int?
        for _ in 0..<Self.evictionSteps {
            hand = (hand + 1) % ring.count
            let host = ring[hand]
            if host.isAsking { continue }
            if !host.wasAsked { return hand }
            host.wasAsked = false
            second = second ?? hand
        }
        return second
    }

    private func ask(_ host: Host) {
        host.isAsking = true
        resolver.lookUp(host.name) { [unowned self] answer in answered(host, answer) }
    }

    private func answered(_ host: Host, _ answer: NameResolver.Answer) {
        host.isAsking = false
        switch answer {
        case .addresses(let found, let life):
            host.addresses = Array(found.prefix(Self.addressLimit))
            host.validUntil = worker.loop.now + min(max(life, Self.shortestLife), Self.longestLife)
        case .failed: host.validUntil = worker.loop.now + Self.failureLife
        }
        // Who is told may begin to wait again.
        let waiting = host.waiting
        host.waiting.removeAll()
        for waiter in waiting {
            waiter.hostResolved(host.addresses.isEmpty ? .failed : .addresses(host.addresses))
        }
    }
}

extension IPAddress {
    /// On this machine or its links: 127.0.0.0/8, ::1, 169.254.0.0/16 and fe80::/10 (RFC 6890), the unspecified addresses,
    /// which reach this machine too, and groups.
    public var isLocalTarget: Bool {
        if isLoopback || isAny { return true }
        if isV4 { return v4 >> 16 == 0xA9FE || v4 >> 24 == 0 || v4 >> 28 >= 0xE }
        return high >> 54 == 0x3FA || high >> 56 == 0xFF
    }
}
