import Config
import Core

/// Who is meant by a name or an address on the listeners of a group. Nothing is allocated; a name costs one hash and, without
/// its namespace, two; an address a binary search.
extension RouteTable {
    public func group(_ number: UInt32) -> UnsafePointer<GroupConfig> { snapshot[header.pointee.groups, Int(number)] }

    public func member(_ call: MemberCall) -> UnsafePointer<MemberConfig> {
        snapshot[group(call.group).pointee.members, Int(call.member)]
    }

    public func memberPort(_ call: MemberCall) -> UnsafePointer<MemberPortConfig> {
        snapshot[member(call).pointee.ports, Int(call.port)]
    }

    // MARK: names

    /// The member that a host names: `name`, `name.namespace`, `name.namespace.svc`, or that with the cluster's domain; of any
    /// case, with or without a dot at its end. An address is looked up as one.
    /// - Parameters:
    ///   - host: without port, an IPv6 address in brackets.
    ///   - namespace: the caller's, whose Services come first where a name stands alone; empty: unknown.
    public func lookUp(host: ByteView, _ wish: PortWish, from namespace: ByteView, in group: UInt32) -> CallLookup {
        if let address = Self.literal(host) {
            let port: UInt16 =
                switch wish {
                case .exactly(let port): port
                case .request(let port, _, let isSecure): port ?? (isSecure ? 443 : 80)
                case .passedOn(let listener): listener
                }
            return lookUp(address: SocketAddress(ip: address, port: port), in: group)
        }
        let config = self.group(group)
        var value = HostIndex.none
        if !namespace.isEmpty, host.firstIndex(of: ASCII.dot).map({ $0 == host.count - 1 }) ?? true {
            scratch.clear()
            scratch.append(host.isEmpty || host[host.count - 1] != ASCII.dot ? host : host.upTo(host.count - 1))
            scratch.append(byte: ASCII.dot)
            scratch.append(namespace)
            value = find(scratch.view, in: config.pointee.names)
        }
        if value == HostIndex.none { value = find(host, in: config.pointee.names) }
        switch value {
        case HostIndex.none: return .outside
        case GroupConfig.ambiguous: return .ambiguous
        default: break
        }
        guard let port = port(wish, of: snapshot[config.pointee.members, Int(value)]) else { return .noPort(value) }
        return .member(MemberCall(group: group, member: value, port: port))
    }

    /// The most specific listener of a socket that has this host, or ``HostIndex/none``.
    public func listener(for host: ByteView, on socket: UnsafePointer<SocketConfig>) -> UInt32 {
        find(host, in: socket.pointee.hosts)
    }

    func find(_ name: ByteView, in index: HostIndex) -> UInt32 {
        var key = HostKey(name, suffixes: hostSuffixes)
        var matches = HostMatches(index)
        return matches.next(&key, in: snapshot)
    }

    static func literal(_ host: ByteView) -> IPAddress? {
        guard let first = host.isEmpty ? nil : host[0] else { return nil }
        if first == UInt8(ascii: "["), host[host.count - 1] == UInt8(ascii: "]"), host.count > 2 {
            return IPAddress(host[1..<(host.count - 1)])
        }
        return ASCII.isDigit(first) || host.firstIndex(of: ASCII.colon) != nil ? IPAddress(host) : nil
    }

    /// A request's Host says the port. Where it says none, the scheme does (RFC 9110, section 4.2); where the Service has no
    /// such port, or the Host's is merely the listener's own, that of the listener; and at last its first port for requests.
    /// For TLS that goes on it is the first port that wants it.
    private func port(_ wish: PortWish, of member: UnsafePointer<MemberConfig>) -> UInt32? {
        switch wish {
        case .exactly(let number): return port(number, of: member)
        case .request(let written, let listener, let isSecure):
            if let written {
                if let found = port(written, of: member) { return found }
                guard written == listener else { return nil }
            }
            if isSecure {
                return openPort(443, of: member) ?? openPort(listener, of: member) ?? port(for: .http, of: member)
                    ?? port(for: .undeclared, of: member) ?? port(for: .tcp, of: member) ?? 0
            }
            return port(80, of: member) ?? port(listener, of: member) ?? port(for: .http, of: member)
                ?? port(for: .undeclared, of: member) ?? 0
        case .passedOn(let listener):
            return port(443, of: member) ?? port(listener, of: member) ?? port(for: .tls, of: member)
                ?? port(for: .undeclared, of: member) ?? port(for: .tcp, of: member) ?? 0
        }
    }

    /// As below, unless the port says that its callers begin TLS themselves.
    private func openPort(_ number: UInt16, of member: UnsafePointer<MemberConfig>) -> UInt32? {
        guard let found = port(number, of: member) else { return nil }
        return snapshot.records(member.pointee.ports)[Int(found)].memberProtocol == .tls ? nil : found
    }

    private func port(_ number: UInt16, of member: UnsafePointer<MemberConfig>) -> UInt32? {
        let ports = snapshot.records(member.pointee.ports)
        for i in 0..<Int(member.pointee.ports.count) where ports[i].number == number { return UInt32(i) }
        return nil
    }

    private func port(for wanted: MemberProtocol, of member: UnsafePointer<MemberConfig>) -> UInt32? {
        let ports = snapshot.records(member.pointee.ports)
        for i in 0..<Int(member.pointee.ports.count) where ports[i].memberProtocol == wanted { return UInt32(i) }
        return nil
    }

    // MARK: addresses

    /// The member at an address: by its own (clusterIP), or by that of one of its endpoints. On ports that nobody declares
    /// an address of a member is the member's, too, and not a host outside.
    public func lookUp(address: SocketAddress, in group: UInt32) -> CallLookup {
        let config = self.group(group)
        let addresses = snapshot.records(config.pointee.addresses)
        let count = Int(config.pointee.addresses.count)
        var low = first(of: address.ip, in: config)
        // Those of one address stand together, the Services' own first.
        var owner: UInt32?
        while low < count, addresses[low].ip == address.ip {
            let found = addresses[low]
            if !found.isEndpoint {
                if let port = port(address.port, of: snapshot[config.pointee.members, Int(found.member)]) {
                    return .member(MemberCall(group: group, member: found.member, port: port))
                }
                owner = owner ?? found.member
            } else if found.port == address.port {
                return .member(
                    MemberCall(group: group, member: found.member, port: found.memberPort, endpoint: address))
            } else {
                owner = owner ?? found.member
            }
            low += 1
        }
        return owner.map { .noPort($0) } ?? .outside
    }

    /// Whether an address is that of a member or of one of its endpoints, whatever the port.
    public func isMember(_ address: IPAddress, of group: UInt32) -> Bool {
        let config = self.group(group)
        let place = first(of: address, in: config)
        return place < Int(config.pointee.addresses.count)
            && snapshot.records(config.pointee.addresses)[place].ip == address
    }

    /// Whether an address is that of a member of any group, or of one of its endpoints, whatever the port: nobody comes there
    /// past the member's policies by way of another group.
    public func isMember(_ address: IPAddress) -> Bool {
        (0..<header.pointee.groups.count).contains { isMember(address, of: $0) }
    }

    /// The first of a group's addresses that is not before this one.
    private func first(of address: IPAddress, in config: UnsafePointer<GroupConfig>) -> Int {
        let addresses = snapshot.records(config.pointee.addresses)
        var low = 0
        var high = Int(config.pointee.addresses.count)
        while low < high {
            let middle = (low + high) / 2
            if addresses[middle].ip < address { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Who is at an address; nil: no endpoint that the files know.
    public func workload(at address: IPAddress) -> UnsafePointer<WorkloadConfig>? {
        let workloads = snapshot.records(header.pointee.workloads)
        var low = 0
        var high = Int(header.pointee.workloads.count)
        while low < high {
            let middle = (low + high) / 2
            if workloads[middle].address == address { return workloads + middle }
            if workloads[middle].address < address { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    // MARK: routes

    /// Where a request to a member is matched (for ``decide(memberPathIndex:listener:head:bytes:path:)``), or
    /// ``MemberPortConfig/none``: the port takes no requests.
    /// - Parameter namespace: the caller's; one with routes of its own for the Service has these and no others.
    public func pathIndex(of call: MemberCall, from namespace: ByteView) -> UInt32 {
        let port = memberPort(call)
        if call.endpoint != nil { return port.pointee.directPathIndex }
        if let consumer = consumer(namespace, of: port), consumer.pointee.pathIndex != MemberPortConfig.none {
            return consumer.pointee.pathIndex
        }
        return port.pointee.pathIndex
    }

    /// The rule that serves a connection to a member, or ``MemberPortConfig/none``: the port takes no connections but those of
    /// requests.
    public func streamRule(of call: MemberCall, from namespace: ByteView) -> UInt32 {
        let port = memberPort(call)
        if call.endpoint != nil { return port.pointee.directStreamRule }
        if let consumer = consumer(namespace, of: port), consumer.pointee.streamRule != MemberPortConfig.none {
            return consumer.pointee.streamRule
        }
        return port.pointee.streamRule
    }

    private func consumer(
        _ namespace: ByteView, of port: UnsafePointer<MemberPortConfig>
    ) -> UnsafePointer<ConsumerConfig>? {
        guard !namespace.isEmpty, !port.pointee.consumers.isEmpty else { return nil }
        let consumers = snapshot.records(port.pointee.consumers)
        var low = 0
        var high = Int(port.pointee.consumers.count)
        while low < high {
            let middle = (low + high) / 2
            let name = snapshot.text(consumers[middle].namespace)
            if name.equals(namespace) { return consumers + middle }
            if name.isBefore(namespace) { low = middle + 1 } else { high = middle }
        }
        return nil
    }
}

extension ByteView {
    /// The order of octets, in which names of namespaces stand.
    fileprivate func isBefore(_ other: ByteView) -> Bool {
        for i in 0..<Swift.min(count, other.count) where self[i] != other[i] { return self[i] < other[i] }
        return count < other.count
    }
}
