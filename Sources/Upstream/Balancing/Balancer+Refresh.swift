import Config
import Core

/// What is worked out before endpoints can be chosen: who is usable, in which groups, with which weights.
extension Balancer {
    func refresh(_ live: LiveState, _ now: Instant) {
        validUntil = now + Self.refreshPause
        usableCount = 0
        for index in 0..<candidates.count {
            isUsable[index] = live.endpoint(candidates[index].slot).isUsable
            if isUsable[index] { usableCount += 1 }
        }
        isPanicking =
            usableCount < candidates.count && usableCount * 100 < Int(policy.panicThreshold) * candidates.count
        order.removeAll(keepingCapacity: true)
        sums.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        grouped = 100
        switch policy.zones {
        case .all: groupAll(live, now)
        case .preferLocal(let plan, let own): groupByPreference(plan, own, live, now)
        case .weighted(let weights): groupByWeight(weights, live, now)
        }
    }

    private func groupAll(_ live: LiveState, _ now: Instant) {
        if let group = append(live, now, where: { _ in true }) { groups.append(group) }
    }

    private func groupByPreference(_ plan: PreferLocalPlan, _ own: UInt32, _ live: LiveState, _ now: Instant) {
        guard own != 0, UInt64(candidates.count) >= plan.minEndpoints || plan.forceMinimum > 0 else {
            return groupAll(live, now)
        }
        let zones = zones()
        guard zones.count > 1, let local = zones.firstIndex(where: { $0.number == own }), zones[local].usable > 0 else {
            return groupAll(live, now)
        }
        grouped = plan.percentage
        var shares: [Double]
        if plan.forceMinimum > 0, zones[local].usable >= Int(plan.forceMinimum) {
            shares = zones.indices.map { $0 == local ? 1 : 0 }
        } else if UInt64(candidates.count) >= plan.minEndpoints {
            shares = ZoneShares.preferLocal(zones, local: local)
        } else {
            return groupAll(live, now)
        }
        append(zones, shares, live, now)
    }

    private func groupByWeight(_ weights: [BalancingPolicy.ZoneWeight], _ live: LiveState, _ now: Instant) {
        let zones = zones()
        let shares = ZoneShares.weighted(zones) { number in weights.first { $0.zone == number }?.weight ?? 1 }
        guard let shares else { return groupAll(live, now) }
        append(zones, shares, live, now)
    }

    /// Groups by zone, by their shares; those without one are part of the whole only.
    private func append(_ zones: [ZoneShares.Zone], _ shares: [Double], _ live: LiveState, _ now: Instant) {
        var sum = 0.0
        for (zone, share) in zip(zones, shares) where share > 0 {
            guard var group = append(live, now, where: { $0.zone == zone.number }) else { continue }
            sum += share
            group.share = UInt64(min(1, sum) * 0x1p32)
            groups.append(group)
        }
        guard !groups.isEmpty else { return groupAll(live, now) }
        guard grouped < 100 else { return }
        whole = append(live, now, where: { _ in true }) ?? groups[0]
        // With one group only, the rest of the requests still has everything.
        if groups.count == 1 { groups.append(groups[0]) }
    }

    private func zones() -> [ZoneShares.Zone] {
        var zones: [ZoneShares.Zone] = []
        for (index, each) in candidates.enumerated() {
            let usable = isUsable[index] || isPanicking ? 1 : 0
            if let known = zones.firstIndex(where: { $0.number == each.zone }) {
                zones[known].total += 1
                zones[known].usable += usable
            } else {
                zones.append(.init(number: each.zone, total: 1, usable: usable))
            }
        }
        return zones
    }

    private func append(_ live: LiveState, _ now: Instant, where belongs: (Candidate) -> Bool) -> Group? {
        var group = Group(start: order.count)
        var sum: UInt64 = 0
        var first: UInt64?
        // By their places: sequences allocate in builds without optimisation, where tests count.
        for index in 0..<candidates.count where isUsable[index] || isPanicking {
            let each = candidates[index]
            guard belongs(each) else { continue }
            let since = policy.slowStart > .zero ? live.endpoint(each.slot).usableSince.value : 0
            let own = UInt64(each.weight) * SlowStart.factor(since: since, window: policy.slowStart, now: now)
            if let first, first != own { group.isEven = false }
            first = first ?? own
            weights[index] = own
            sum += own
            order.append(Int32(index))
            sums.append(sum)
        }
        group.count = order.count - group.start
        return group.count > 0 ? group : nil
    }
}
