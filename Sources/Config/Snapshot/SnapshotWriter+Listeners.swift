import Core

extension SnapshotWriter {
    mutating func write(sockets: [SocketPlan], ids: [UInt32], _ slots: SnapshotSlots) {
        header.sockets = block.allocate(SocketConfig.self, count: sockets.count)
        header.listeners = block.allocate(ListenerConfig.self, count: sockets.reduce(0) { $0 + $1.listeners.count })
        guard block.failure == nil else { return }
        var listener = 0
        for (index, socket) in sockets.enumerated() {
            var hosts: [HostEntry] = []
            let client = SocketClientConfig(socket, firstListener: UInt32(listener))
            for plan in socket.listeners {
                hosts.append(HostEntry(name: hostText(plan.hostname), value: UInt32(listener)))
                block[header.listeners, listener] = write(plan, port: socket.address.port, slots)
                listener += 1
            }
            let first = socket.listeners.first?.listenerProtocol ?? .http
            let ofGroup = socket.listeners.firstIndex { $0.group != nil }
            block[header.sockets, index] = SocketConfig(
                id: ids[index], transport: socket.transport, address: socket.address,
                proxyProtocol: socket.proxyProtocol, beginsWithTLS: first.beginsWithTLS, listenerProtocol: first,
                isChosenByName: socket.listeners.contains {
                    $0.listenerProtocol == .tlsPassthrough || $0.listenerProtocol == .tlsTerminate
                },
                answersUnknownNames: socket.listeners.contains { $0.listenerProtocol == .https },
                carried: write(carried: socket.carried), client: client,
                groupListener: ofGroup.map { UInt32(listener - socket.listeners.count + $0) } ?? ListenerConfig.noGroup,
                interception: socket.interception, hosts: hostIndex(hosts))
        }
    }

    private mutating func write(_ plan: ListenerPlan, port: UInt16, _ slots: SnapshotSlots) -> ListenerConfig {
        var identity = IdentityHash()
        identity.add(plan.gatewayNamespace)
        identity.add(plan.gatewayName)
        identity.add(plan.listenerSet)
        identity.add(plan.name)
        var config = ListenerConfig(
            gatewayNamespace: text(plan.gatewayNamespace), gatewayName: text(plan.gatewayName), name: text(plan.name),
            hostname: text(plan.hostname), port: port, listenerProtocol: plan.listenerProtocol,
            identity: identity.value, tls: plan.tls.map { write($0) } ?? Table(),
            forwardedClientCert: plan.forwardedClientCert,
            client: plan.client.isEmpty ? Table() : write(plan.client),
            slot: plan.client.isEmpty ? 0 : slots.listener(identity.value), hosts: hostIndex([]), pathIndexes: Table(),
            position: plan.position)
        config.authorization = write(plan.authorization)
        config.fallback = FallbackConfig(plan.fallback)
        var served: [HostedRoute] = []
        for attachment in plan.attachments {
            for hostname in attachment.hostnames {
                served.append(HostedRoute(host: hostText(hostname), route: UInt32(attachment.route)))
            }
        }
        served.sort { $0.order < $1.order }
        if let group = plan.group {
            config.group = UInt32(group)
            config.streamHosts = hostIndex(streamRules(of: served.filter { isBelowHTTP[Int($0.route)] }))
            served.removeAll { isBelowHTTP[Int($0.route)] }
        } else if !plan.listenerProtocol.isHTTP {
            config.hosts = hostIndex(streamRules(of: served))
            return config
        }
        var hosts = 0
        for i in served.indices where i == 0 || served[i].host.offset != served[i - 1].host.offset { hosts += 1 }
        config.pathIndexes = block.allocate(PathIndex.self, count: hosts)
        guard block.failure == nil else { return config }

        var entries: [HostEntry] = []
        entries.reserveCapacity(hosts)
        var routes: [UInt32] = []
        var next = 0
        while next < served.count {
            let host = served[next].host
            routes.removeAll(keepingCapacity: true)
            while next < served.count, served[next].host.offset == host.offset {
                // One route may be attached twice, by name and by port.
                if routes.last != served[next].route { routes.append(served[next].route) }
                next += 1
            }
            block[config.pathIndexes, entries.count] = pathIndex(of: routes)
            entries.append(HostEntry(name: host, value: UInt32(entries.count)))
        }
        config.hosts = hostIndex(entries)
        return config
    }

    /// Below HTTP a server name leads to one rule: the first of the route that has precedence.
    private func streamRules(of served: [HostedRoute]) -> [HostEntry] {
        served.compactMap { hosted in
            let rules = firstRule[Int(hosted.route)]..<firstRule[Int(hosted.route) + 1]
            return rules.isEmpty ? nil : HostEntry(name: hosted.host, value: UInt32(rules.lowerBound))
        }
    }

    /// `*.example.com` is entered as `.example.com`, every host as the empty text.
    mutating func hostText(_ hostname: String) -> TextRef {
        var hostname = hostname
        return hostname.withUTF8 {
            let view = ByteView($0.baseAddress, count: $0.count)
            return interner.intern(view.count > 1 && view[0] == 0x2A ? view.from(1) : view, in: &block)
        }
    }

    /// Of equal names the first counts; conflicts have been settled before.
    mutating func hostIndex(_ entries: [HostEntry]) -> HostIndex {
        var index = HostIndex(buckets: Table(), anyHost: HostIndex.none, wildcardDepths: 0)
        var named = 0
        for entry in entries {
            if entry.name.isEmpty {
                if index.anyHost == HostIndex.none { index.anyHost = entry.value }
            } else {
                named += 1
            }
        }
        index.buckets = block.allocate(HostBucket.self, count: HashTable.capacity(for: named))
        guard named > 0, block.failure == nil else { return index }
        let mask = Int(index.buckets.count) - 1
        insert: for entry in entries where !entry.name.isEmpty {
            let name = block.text(entry.name)
            let hash = HostKey.hash(of: name)
            if name[0] == ASCII.dot {
                var labels = 0
                for i in name.indices where name[i] == ASCII.dot { labels += 1 }
                index.wildcardDepths |= DepthMask.bit(labels)
            }
            var slot = HashTable.firstSlot(hash, mask: mask)
            while true {
                let bucket = block[index.buckets, slot]
                if bucket.name.isEmpty { break }
                if bucket.name.offset == entry.name.offset { continue insert }
                slot = (slot + 1) & mask
            }
            block[index.buckets, slot] = HostBucket(hash: hash, name: entry.name, value: entry.value)
        }
        return index
    }
}

struct HostEntry {
    var name: TextRef
    var value: UInt32
}

private struct HostedRoute {
    var host: TextRef
    var route: UInt32
    /// By host, then by precedence of routes.
    var order: UInt64 { UInt64(host.offset) << 32 | UInt64(route) }
}
