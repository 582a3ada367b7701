import CCares
import Core
import Glibc
import IO

/// Looks names up, A, AAAA and SRV, without blocking: c-ares on the loop. Hosts file and resolv.conf are obeyed.
///
/// Owned by who asks, on the loop that it is made with; its questions under way end with it.
public final class NameResolver {
    public enum Answer {
        /// - Parameter life: the shortest time to live among the records.
        case addresses([IPAddress], life: TimeAmount)
        case failed(String)
    }
    public enum ServiceAnswer {
        case services([ServiceRecord], life: TimeAmount)
        case failed(String)
    }
    /// Which addresses are asked for; of the preferred kind if there are any, else of the other.
    public enum Family: UInt8, Sendable { case any, v4, v6, v4Preferred, v6Preferred }

    /// Until the first server is asked again; c-ares doubles it with each round.
    private static let timeoutMilliseconds: Int32 = 2000
    private static let tries: Int32 = 3
    private static let readsPerEvent = 64
    /// Names below it are this machine, and no server is asked (RFC 6761, section 6.3).
    private static let localhost = ".localhost"
    private static let localhostLife = TimeAmount.seconds(300)

    private let loop: EventLoop
    private var channel: ares_channel?
    private var sockets: [CInt: ResolverSocket] = [:]
    private var timer: ResolverTimer!

    /// - Parameter servers: `IP[:PORT][,…]` to ask instead of those of resolv.conf; nil: the system's.
    public init(loop: EventLoop, servers: String?) {
        self.loop = loop
        timer = ResolverTimer(self)
        precondition(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS, "c-ares cannot be initialised")
        open(servers)
    }

    private func open(_ servers: String?) {
        var options = ares_options()
        options.timeout = Self.timeoutMilliseconds
        options.tries = Self.tries
        options.sock_state_cb = { data, socket, readable, writable in
            guard let data else { return }
            Unmanaged<NameResolver>.fromOpaque(data).takeUnretainedValue()
                .watch(socket, readable: readable != 0, writable: writable != 0)
        }
        options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        let mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB
        guard ares_init_options(&channel, &options, mask) == ARES_SUCCESS else {
            channel = nil
            return
        }
        if let servers { ares_set_servers_ports_csv(channel, servers) }
    }

    deinit {
        if let channel { ares_destroy(channel) }
        loop.clearDeadline(timer)
    }

    /// `done` is called once, perhaps before this returns (the hosts file).
    public func lookUp(_ name: String, _ family: Family = .any, _ done: @escaping (Answer) -> Void) {
        if name.hasSuffix(Self.localhost) || name.hasSuffix(Self.localhost + ".") {
            let address = family == .v6 ? IPAddress(high: 0, low: 1) : IPAddress(v4: 127, 0, 0, 1)
            return done(.addresses([address], life: Self.localhostLife))
        }
        guard let channel else { return done(.failed("no resolver")) }
        var hints = ares_addrinfo_hints()
        hints.ai_family =
            switch family {
            case .v4: AF_INET
            case .v6: AF_INET6
            case .any, .v4Preferred, .v6Preferred: AF_UNSPEC
            }
        // Sorting by reachability (RFC 6724) would connect to each address; the balancer asks them all in any case.
        hints.ai_flags = Int32(ARES_AI_NOSORT)
        let waiter = Unmanaged.passRetained(Waiter { done(Self.chosen($0, family)) })
        ares_getaddrinfo(
            channel, name, nil, &hints,
            { data, status, _, result in
                guard let data else { return }
                let waiter = Unmanaged<Waiter>.fromOpaque(data).takeRetainedValue()
                defer { ares_freeaddrinfo(result) }
                waiter.done(NameResolver.answer(status, result))
            }, waiter.toOpaque())
        schedule()
    }

    private final class Waiter {
        let done: (Answer) -> Void
        init(_ done: @escaping (Answer) -> Void) { self.done = done }
    }

    private static func chosen(_ answer: Answer, _ family: Family) -> Answer {
        guard case .addresses(let all, let life) = answer, family == .v4Preferred || family == .v6Preferred else {
            return answer
        }
        let preferred = all.filter { $0.isV4 == (family == .v4Preferred) }
        return .addresses(preferred.isEmpty ? all : preferred, life: life)
    }

    // MARK: services

    /// Where a service is served (SRV, RFC 2782). `done` is called once, perhaps before this returns.
    /// - Parameter name: `_service._protocol.name`.
    public func lookUpServices(_ name: String, _ done: @escaping (ServiceAnswer) -> Void) {
        guard let channel else { return done(.failed("no resolver")) }
        let waiter = Unmanaged.passRetained(ServiceWaiter(done))
        ares_search(
            channel, name, Int32(ServiceRecord.dnsClass), Int32(ServiceRecord.dnsType),
            { data, status, _, octets, count in
                guard let data else { return }
                let waiter = Unmanaged<ServiceWaiter>.fromOpaque(data).takeRetainedValue()
                guard status == ARES_SUCCESS else {
                    return waiter.done(.failed(String(cString: ares_strerror(status))))
                }
                guard let found = ServiceRecord.read(ByteView(octets, count: Int(count))) else {
                    return waiter.done(.failed("an answer that cannot be read"))
                }
                waiter.done(found.records.isEmpty ? .failed("no services") : .services(found.records, life: found.life))
            }, waiter.toOpaque())
        schedule()
    }

    private final class ServiceWaiter {
        let done: (ServiceAnswer) -> Void
        init(_ done: @escaping (ServiceAnswer) -> Void) { self.done = done }
    }

    private static func answer(_ status: CInt, _ result: UnsafeMutablePointer<ares_addrinfo>?) -> Answer {
        guard status == ARES_SUCCESS, let result else {
            return .failed(String(cString: ares_strerror(status)))
        }
        var addresses: [IPAddress] = []
        var life = Int32.max
        var node = result.pointee.nodes
        while let entry = node {
            if let address = entry.pointee.ai_addr.flatMap({ Self.address($0) }) {
                addresses.append(address)
                life = min(life, entry.pointee.ai_ttl)
            }
            node = entry.pointee.ai_next
        }
        return addresses.isEmpty ? .failed("no addresses") : .addresses(addresses, life: .seconds(Int64(life)))
    }

    private static func address(_ pointer: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        switch CInt(pointer.pointee.sa_family) {
        case AF_INET:
            return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                let v4 = UInt32(bigEndian: $0.pointee.sin_addr.s_addr)
                return IPAddress(high: 0, low: 0xFFFF_0000_0000 | UInt64(v4))
            }
        case AF_INET6:
            return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) {
                    IPAddress(
                        high: UInt64(bigEndian: $0.load(fromByteOffset: 0, as: UInt64.self)),
                        low: UInt64(bigEndian: $0.load(fromByteOffset: 8, as: UInt64.self)))
                }
            }
        default: return nil
        }
    }

    // MARK: the loop

    private func watch(_ fd: CInt, readable: Bool, writable: Bool) {
        if readable || writable {
            guard sockets[fd] == nil else { return }
            let source = ResolverSocket(self, fd)
            sockets[fd] = source
            // Edge-triggered for writing is enough: it is asked for while a TCP connection is being made.
            loop.add(fd, source)
        } else if sockets.removeValue(forKey: fd) != nil {
            loop.remove(fd)
        }
    }

    fileprivate func process(_ fd: CInt, _ events: ReadyEvents) {
        let bad = ares_socket_t(-1)
        // No events: called again after a bounded burst.
        let readable = events.isEmpty || !events.isDisjoint(with: [.readable, .hungUp, .error, .peerClosed])
        ares_process_fd(channel, readable ? fd : bad, events.contains(.writable) ? fd : bad)
        // A TCP answer may need more than one read, and edges come once. Bounded: a server that sends for ever waits.
        var rounds = 0
        var octet: UInt8 = 0
        while readable, rounds < Self.readsPerEvent, sockets[fd] != nil,
            recv(fd, &octet, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
        {
            ares_process_fd(channel, fd, bad)
            rounds += 1
        }
        if rounds == Self.readsPerEvent, let source = sockets[fd] { loop.again(source) }
        schedule()
    }

    fileprivate func timePassed() {
        ares_process_fd(channel, ares_socket_t(-1), ares_socket_t(-1))
        schedule()
    }

    /// The next timeout of a query under way.
    private func schedule() {
        var most = timeval(tv_sec: 3600, tv_usec: 0)
        var next = timeval()
        guard channel != nil, !sockets.isEmpty, let wait = ares_timeout(channel, &most, &next) else {
            return loop.clearDeadline(timer)
        }
        let amount = Int64(wait.pointee.tv_sec) * 1_000_000_000 + Int64(wait.pointee.tv_usec) * 1000
        // Set afresh: the wheel lets a deadline move earlier as well.
        loop.setDeadline(timer, SystemCalls.monotonicNow() + .nanoseconds(amount))
    }
}

private final class ResolverSocket: EventSource {
    unowned let resolver: NameResolver
    let fd: CInt

    init(_ resolver: NameResolver, _ fd: CInt) {
        self.resolver = resolver
        self.fd = fd
    }

    override func ready(_ events: ReadyEvents) { resolver.process(fd, events) }
}

private final class ResolverTimer: Timed {
    unowned let resolver: NameResolver
    init(_ resolver: NameResolver) { self.resolver = resolver }
    override func deadlinePassed(now: Instant) { resolver.timePassed() }
}
