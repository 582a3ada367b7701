import Config
import Core

/// One rule's filters, compiled as a snapshot has them.
final class FilterSnapshot {
    private let block: SnapshotBlock
    let snapshot: Snapshot
    let filters: FilterConfig

    init(_ edit: (inout FilterPlan) -> Void) throws {
        var filters = FilterPlan()
        edit(&filters)
        var plan = GatewayPlan()
        plan.routes = [.test("r", [])]
        plan.routes[0].rules = [RulePlan(matches: [MatchPlan(path: .prefix("/"))], filters: filters)]
        block = try SnapshotBuilder.buildBlock(plan, generation: 1, revision: 1, sourceHash: 0, socketIDs: [])
        guard let snapshot = block.snapshot else { preconditionFailure("a built block is a snapshot") }
        self.snapshot = snapshot
        self.filters = snapshot[snapshot.header.pointee.rules, 0].pointee.filters
    }

    /// What `body` appends, as text.
    static func text(_ body: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        body(&buffer)
        return buffer.view.string
    }
}
