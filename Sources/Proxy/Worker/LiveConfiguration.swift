import Config
import Connection
import Core
import IO
import Routing

/// One published snapshot as a worker serves it. Held by the worker while it is the newest, and by every exchange that
/// began under it: the block is unmapped when the last of them ends.
final class LiveConfiguration {
    let snapshot: Snapshot
    let routes: RouteTable
    private let block: SealedBlock
    /// By index of the snapshot's clusters; filled when a request first needs one, so that taking a snapshot over costs
    /// the same whatever its size.
    private var clusters: [Cluster?]
    /// Index in the snapshot's sockets, in the order of the supervisor's numbers: there are few, and every request asks.
    private let sockets: [(id: UInt32, index: UInt32)]
    /// By identity; made when it is first asked for, which only policies of listeners within TLS do.
    private lazy var listenerIndex = makeListenerIndex()

    /// Nil when the block holds no snapshot of our format.
    init?(block: SealedBlock, patterns: PatternCache) {
        guard let snapshot = Snapshot(base: block.base, size: block.size) else { return nil }
        self.block = block
        self.snapshot = snapshot
        routes = RouteTable(snapshot: snapshot, cache: patterns)
        clusters = Array(repeating: nil, count: Int(snapshot.header.pointee.clusters.count))
        var sockets: [(id: UInt32, index: UInt32)] = []
        var managesClients = false
        for i in 0..<Int(snapshot.header.pointee.sockets.count) {
            if snapshot[snapshot.header.pointee.sockets, i].pointee.client.hasPolicies { managesClients = true }
            sockets.append((snapshot[snapshot.header.pointee.sockets, i].pointee.id, UInt32(i)))
        }
        self.sockets = sockets.sorted { $0.id < $1.id }
        self.managesClients = managesClients
    }

    /// It has listeners of groups.
    var hasGroups: Bool { snapshot.header.pointee.groups.count > 0 }
    var generation: UInt64 { snapshot.header.pointee.generation }
    var revision: UInt64 { snapshot.header.pointee.revision }

    /// Where the snapshot keeps a listening socket, or nil when it no longer listens there.
    func index(ofSocket id: UInt32) -> UInt32? {
        var low = 0
        var high = sockets.count
        while low < high {
            let middle = (low + high) / 2
            if sockets[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < sockets.count && sockets[low].id == id ? sockets[low].index : nil
    }

    /// Where the snapshot keeps the listener of this identity, or nil when it is gone.
    func listener(_ identity: UInt64) -> UInt32? { listenerIndex[identity] }

    /// Some socket has a listener whose policy speaks of clients.
    let managesClients: Bool
    private var terms: [UInt32: ConnectionTerms] = [:]
    private var handshakeTerms: [UInt32: ConnectionTerms] = [:]

    /// What the connections of a listener with a policy are served under.
    /// - Parameter standard: what holds for what the policy leaves open.
    func terms(ofListener number: UInt32, _ standard: ConnectionLimits) -> ConnectionTerms {
        if let known = terms[number] { return known }
        let client = snapshot[snapshot.header.pointee.listeners, Int(number)].pointee.client
        let made = ConnectionTerms(standard.under(snapshot[client, 0].pointee))
        terms[number] = made
        return made
    }

    /// What holds on a socket until a TLS handshake has told the listener; nil: nothing of its own.
    func handshakeTerms(ofSocket index: UInt32, _ standard: ConnectionLimits) -> ConnectionTerms? {
        let client = snapshot[snapshot.header.pointee.sockets, Int(index)].pointee.client
        guard client.handshakeTimeout.isSet else { return nil }
        if let known = handshakeTerms[index] { return known }
        var limits = standard
        limits.handshake = client.handshakeTimeout.over(limits.handshake)
        let made = ConnectionTerms(limits)
        handshakeTerms[index] = made
        return made
    }

    private func makeListenerIndex() -> [UInt64: UInt32] {
        var index: [UInt64: UInt32] = [:]
        let listeners = snapshot.header.pointee.listeners
        for i in 0..<Int(listeners.count) { index[snapshot[listeners, i].pointee.identity] = UInt32(i) }
        return index
    }

    func rule(_ index: UInt32) -> UnsafePointer<RuleConfig> { snapshot[snapshot.header.pointee.rules, Int(index)] }

    func cluster(_ index: UInt32, of worker: Worker) -> Cluster {
        if let known = clusters[Int(index)] { return known }
        let cluster = worker.clusters.cluster(snapshot[snapshot.header.pointee.clusters, Int(index)].pointee, in: self)
        clusters[Int(index)] = cluster
        return cluster
    }
}
