import Core

extension SnapshotWriter {
    mutating func write(
        groups: [GroupPlan], workloads: [WorkloadPlan], services: [String], _ slots: SnapshotSlots
    ) {
        header.groups = block.allocate(GroupConfig.self, count: groups.count)
        let ports = groups.reduce(0) { $0 + $1.members.reduce(0) { $0 + $1.ports.count } }
        memberPathIndexes.reserveCapacity(ports)
        for (index, plan) in groups.enumerated() {
            guard block.failure == nil else { return }
            let group = write(plan, slots)
            block[header.groups, index] = group
        }
        header.services = hostIndex(services.map { HostEntry(name: hostText($0), value: 0) })
        header.memberPathIndexes = block.append(contentsOf: memberPathIndexes)
        let ordered = workloads.sorted { $0.address < $1.address }
        header.workloads = block.allocate(WorkloadConfig.self, count: ordered.count)
        guard block.failure == nil else { return }
        for (index, workload) in ordered.enumerated() {
            let config = WorkloadConfig(
                address: workload.address, namespace: text(workload.namespace), name: text(workload.name),
                service: text(workload.service))
            block[header.workloads, index] = config
        }
    }

    private mutating func write(_ plan: GroupPlan, _ slots: SnapshotSlots) -> GroupConfig {
        var group = GroupConfig(
            namespace: text(plan.namespace), name: text(plan.name),
            names: HostIndex(buckets: Table(), anyHost: HostIndex.none, wildcardDepths: 0),
            members: block.allocate(MemberConfig.self, count: plan.members.count), addresses: Table(),
            egress: plan.egress, egressRule: streamRule(of: plan.egressRoute.map { [$0] } ?? []),
            trustsAddresses: plan.trustsAddresses, trustedForwarders: texts(plan.trustedForwarders),
            connectionsPerCaller: plan.connectionsPerCaller,
            position: plan.position)
        guard block.failure == nil else { return group }
        for (index, member) in plan.members.enumerated() {
            let config = write(member, slots)
            guard block.failure == nil else { return group }
            block[group.members, index] = config
        }
        group.names = hostIndex(names(of: plan))
        group.addresses = block.append(contentsOf: addresses(of: plan))
        return group
    }

    private mutating func write(_ plan: MemberPlan, _ slots: SnapshotSlots) -> MemberConfig {
        var identity = IdentityHash()
        identity.add("Service")
        identity.add(plan.namespace)
        identity.add(plan.name)
        let ports = plan.ports.map { write($0) }
        return MemberConfig(
            namespace: text(plan.namespace), name: text(plan.name),
            qualifiedName: text("\(plan.namespace)/\(plan.name)"),
            identity: identity.value, ports: block.append(contentsOf: ports),
            fairShare: FairShareConfig(plan.fairShare, slot: slots.member(identity.value)), position: plan.position)
    }

    private mutating func write(_ plan: MemberPortPlan) -> MemberPortConfig {
        var consumers: [ConsumerConfig] = []
        for consumer in plan.consumers.sorted(by: { $0.namespace < $1.namespace }) {
            consumers.append(
                ConsumerConfig(
                    namespace: text(consumer.namespace), pathIndex: memberPathIndex(of: consumer.routes),
                    streamRule: streamRule(of: consumer.streamRoutes)))
        }
        // Equal where the Service has no routes, which `explain` tells.
        let direct = memberPathIndex(of: plan.directRoutes)
        return MemberPortConfig(
            number: plan.number, memberProtocol: plan.memberProtocol,
            pathIndex: plan.routes == plan.directRoutes ? direct : memberPathIndex(of: plan.routes),
            streamRule: streamRule(of: plan.streamRoutes), directPathIndex: direct,
            directStreamRule: streamRule(of: plan.directStreamRoutes), consumers: block.append(contentsOf: consumers),
            authorization: write(plan.authorization))
    }

    private mutating func memberPathIndex(of routes: [Int]) -> UInt32 {
        guard !routes.isEmpty else { return MemberPortConfig.none }
        let index = pathIndex(of: routes.map { UInt32($0) })
        memberPathIndexes.append(index)
        return UInt32(memberPathIndexes.count - 1)
    }

    private func streamRule(of routes: [Int]) -> UInt32 {
        for route in routes where firstRule[route] < firstRule[route + 1] { return UInt32(firstRule[route]) }
        return MemberPortConfig.none
    }

    /// Every name by which a member is called. A lone `name` that several members have says too little.
    private mutating func names(of plan: GroupPlan) -> [HostEntry] {
        var entries: [HostEntry] = []
        var owners: [String: Int] = [:]
        for member in plan.members { owners[member.name, default: 0] += 1 }
        for (index, member) in plan.members.enumerated() {
            let qualified = "\(member.namespace.isEmpty ? member.name : "\(member.name).\(member.namespace)")"
            for name in [qualified, "\(qualified).svc", "\(qualified).svc.\(plan.clusterDomain)"] {
                entries.append(HostEntry(name: hostText(name), value: UInt32(index)))
            }
            let value = owners[member.name] == 1 ? UInt32(index) : GroupConfig.ambiguous
            entries.append(HostEntry(name: hostText(member.name), value: value))
        }
        return entries
    }

    private func addresses(of plan: GroupPlan) -> [MemberAddressConfig] {
        var found: [MemberAddressConfig] = []
        for (index, member) in plan.members.enumerated() {
            for address in member.addresses {
                found.append(MemberAddressConfig(ip: address, port: 0, member: UInt32(index), memberPort: 0))
            }
            for (number, port) in member.ports.enumerated() {
                for endpoint in port.endpoints {
                    found.append(
                        MemberAddressConfig(
                            ip: endpoint.ip, port: endpoint.port, member: UInt32(index), memberPort: UInt32(number)))
                }
            }
        }
        // Of several members at one address the first by name counts.
        found.sort {
            if $0.ip != $1.ip { return $0.ip < $1.ip }
            return $0.port != $1.port ? $0.port < $1.port : $0.member < $1.member
        }
        return found
    }
}
