import Core
import HTTP

/// Compiles a plan into the block that workers map: see ``Snapshot``.
///
/// Cost is linear in the plan, apart from sorting; texts, tables of the same matches and expressions are written once.
/// Nothing here depends on time, chance or memory addresses: equal plans give equal records at equal offsets (the padding
/// between fields is not defined, so blocks are not to be compared octet by octet).
public enum SnapshotBuilder {
    /// - Parameters:
    ///   - plan: what was decided. Its indices must be in range; that is our own invariant, so a wrong one traps.
    ///   - generation: see ``SnapshotHeader/generation``; likewise `revision` and `sourceHash`.
    ///   - socketIDs: for each of `plan.sockets` the supervisor's number.
    ///   - slots: the places in shared memory for what the plan names.
    /// - Returns: the block's octets.
    /// - Throws: ``SnapshotBuildError`` when the plan passes a limit of ``SnapshotLimits``.
    public static func build(
        _ plan: GatewayPlan, generation: UInt64, revision: UInt64, sourceHash: UInt64, socketIDs: [UInt32],
        slots: SnapshotSlots = SnapshotSlots()
    ) throws(SnapshotBuildError) -> [UInt8] {
        let block = try buildBlock(
            plan, generation: generation, revision: revision, sourceHash: sourceHash, socketIDs: socketIDs, slots: slots
        )
        return block.bytes.array
    }

    /// As ``build(_:generation:revision:sourceHash:socketIDs:slots:)``, without the last copy.
    public static func buildBlock(
        _ plan: GatewayPlan, generation: UInt64, revision: UInt64, sourceHash: UInt64, socketIDs: [UInt32],
        limits: SnapshotLimits = SnapshotLimits(), slots: SnapshotSlots = SnapshotSlots()
    ) throws(SnapshotBuildError) -> SnapshotBlock {
        precondition(socketIDs.count == plan.sockets.count, "each socket needs its number")
        var writer = SnapshotWriter(expecting: plan.routes.count, limits: limits)
        writer.header.generation = generation
        writer.header.revision = revision
        writer.header.sourceHash = sourceHash
        writer.files = plan.files
        writer.header.files = writer.texts(plan.files)
        writer.header.zone = writer.text(plan.zone)
        writer.write(clusters: plan.clusters, slots)
        writer.write(routes: plan.routes, clusters: plan.clusters, slots)
        writer.write(authorizationPolicies: plan.authorizationPolicies)
        writer.write(groups: plan.groups, workloads: plan.workloads, services: plan.services, slots)
        writer.write(sockets: plan.sockets, ids: socketIDs, slots)
        return try writer.finish()
    }
}

/// A block under construction. Its parts lie in files by topic: `SnapshotWriter+Routes`, `+Filters`, `+Listeners`,
/// `+TLS`, `+Groups`.
struct SnapshotWriter: ~Copyable {
    var block: SnapshotBlock
    var interner: TextInterner
    var header = SnapshotHeader()
    /// ``GatewayPlan/files``.
    var files: [String] = []
    /// Expressions by the offset of their text, which names it.
    var patternNumbers: [UInt32: UInt32] = [:]
    var patterns: [TextRef] = []
    /// Every match of the plan, compiled once, in the order of routes, rules and matches; indexes refer to it.
    var matches: [CompiledMatch] = []
    /// Where each route's matches begin in `matches`; one more entry than routes.
    var firstMatch: [Int] = [0]
    /// Where each route's rules begin in `header.rules`; one more entry than routes.
    var firstRule: [Int] = [0]
    var pathIndexMemo = PathIndexMemo()
    /// ``RoutePlan/isBelowHTTP`` of each route.
    var isBelowHTTP: [Bool] = []
    /// ``SnapshotHeader/memberPathIndexes`` as they come.
    var memberPathIndexes: [PathIndex] = []
    /// ``GatewayPlan/authorizationPolicies``.
    var authorizationPolicies: [AuthorizationPolicyPlan] = []

    init(expecting routes: Int, limits: SnapshotLimits) {
        // A plain route of one rule and one backend takes some 600 octets.
        block = SnapshotBlock(limit: limits.octets, capacity: 16384 + routes * 768)
        interner = TextInterner(expecting: routes * 6)
        matches.reserveCapacity(routes)
        firstMatch.reserveCapacity(routes + 1)
        _ = block.allocate(SnapshotHeader.self, count: 1)
    }

    consuming func finish() throws(SnapshotBuildError) -> SnapshotBlock {
        header.patterns = block.append(contentsOf: patterns)
        header.size = UInt32(truncatingIfNeeded: block.size)
        if let failure = block.failure { throw failure }
        block[Table<SnapshotHeader>(offset: 0, count: 1), 0] = header
        return block
    }

    mutating func text(_ text: String) -> TextRef {
        if text.utf8.isEmpty { return TextRef() }
        var text = text
        return text.withUTF8 {
            interner.intern(ByteView($0.baseAddress, count: $0.count), in: &block)
        }
    }

    mutating func text(_ view: ByteView) -> TextRef { interner.intern(view, in: &block) }

    mutating func texts(_ list: [String]) -> Table<TextRef> {
        let table = block.allocate(TextRef.self, count: list.count)
        for i in list.indices { block[table, i] = text(list[i]) }
        return table
    }

    mutating func pattern(_ expression: String) -> UInt32 {
        let ref = text(expression)
        if let number = patternNumbers[ref.offset] { return number }
        let number = UInt32(patterns.count)
        patterns.append(ref)
        patternNumbers[ref.offset] = number
        return number
    }
}

/// Names under which live state is kept: the texts one after the other, each ended by a NUL, which none can contain.
struct IdentityHash {
    private var hash = RollingHash()
    var value: UInt64 { hash.value }

    mutating func add(_ text: String) {
        var text = text
        var hash = hash
        text.withUTF8 { for byte in $0 { hash.add(byte) } }
        hash.add(0)
        self.hash = hash
    }

    /// Where an endpoint is.
    mutating func add(_ endpoint: EndpointPlan) {
        add(endpoint.address.ip.high)
        add(endpoint.address.ip.low)
        add(endpoint.address.port)
        if !endpoint.unixPath.isEmpty { add(endpoint.unixPath) }
    }

    mutating func add<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { for byte in $0 { hash.add(byte) } }
    }
}
