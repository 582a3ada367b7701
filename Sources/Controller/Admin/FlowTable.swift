import Config
import Core
import Telemetry
import Upstream

/// What members of groups hold, and what their callers had to wait, with the names of the running snapshot.
struct FlowTable {
    /// What stands for all flows that have no place of their own, and for services that are gone.
    private static let other = "other"

    struct Service {
        var name: String
        var cell: MemberCell
        /// Wall clock; nil: all workers serve it.
        var isolatedUntil: Int64?
    }

    let services: [Service]
    let flows: [MetricsSource.Flow]

    /// - Parameter now: the wall clock, nanoseconds since 1970.
    init(_ snapshot: Snapshot, _ state: LiveState, now: Int64) {
        var services: [Service] = []
        var names: [UInt64: String] = [:]
        let groups = snapshot.header.pointee.groups
        for group in 0..<Int(groups.count) {
            let members = snapshot[groups, group].pointee.members
            for number in 0..<Int(members.count) {
                let member = snapshot[members, number].pointee
                let name = snapshot.text(member.qualifiedName).string
                // One Service may be a member of one group only; its name is its place.
                guard names.updateValue(name, forKey: member.identity) == nil, member.fairShare.slot != 0 else {
                    continue
                }
                let cell = state.member(member.fairShare.slot)
                services.append(Service(name: name, cell: cell, isolatedUntil: cell.isolation(now: now)))
            }
        }
        self.services = services
        guard groups.count > 0 else {
            flows = []
            return
        }
        var others = MetricsSource.Flow(service: Self.other, caller: Self.other, queued: 0, delay: 0, rejected: 0)
        var named: [MetricsSource.Flow] = []
        for row in state.flows.rows() {
            // A flow that goes to no member goes to a host outside, by its caller alone.
            guard !row.caller.isEmpty, let service = row.member == 0 ? "-" : names[row.member] else {
                others.queued &+= row.queued
                others.delay &+= row.delay
                others.rejected &+= row.rejected
                continue
            }
            named.append(
                .init(
                    service: service, caller: row.caller, queued: row.queued, delay: row.delay,
                    rejected: row.rejected))
        }
        flows = named + [others]
    }

    var members: [MetricsSource.Member] {
        services.map { .init(name: $0.name, deaths: $0.cell.deaths, isIsolated: $0.isolatedUntil != nil) }
    }
}

extension AdminJSON {
    /// `GET /api/flows`.
    static func flows(_ controller: Controller) -> ByteBuffer {
        var json = JSONWriter()
        json.beginObject()
        let table = controller.live.map {
            FlowTable($0.snapshot, controller.liveState, now: controller.loop.wallNow)
        }
        json.key("services")
        json.beginArray()
        for service in table?.services ?? [] {
            json.beginObject()
            json.field("service", service.name)
            json.field("calls", service.cell.allCalls)
            json.field("bufferedOctets", service.cell.allOctets)
            json.field("workerDeaths", service.cell.deaths)
            json.key("lastInput")
            if let input = service.cell.lastInput { json.value("\(input.text)") } else { json.null() }
            json.key("isolatedUntil")
            if let until = service.isolatedUntil { json.value(Timestamp.string(until)) } else { json.null() }
            json.endObject()
        }
        json.endArray()
        json.key("flows")
        json.beginArray()
        for flow in table?.flows ?? [] {
            json.beginObject()
            json.field("service", flow.service)
            json.field("caller", flow.caller)
            json.field("queued", flow.queued)
            json.field("waitSeconds", Double(flow.delay) / 1e9)
            json.field("rejected", flow.rejected)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return end(json)
    }
}
