import Config
import Core
import Upstream

/// What became of a request's wish for an endpoint.
enum EndpointChoice: ~Copyable {
    /// A permit is held, and the endpoint has room: ``Endpoint/lease(for:)`` or ``Endpoint/connect(for:alone:preamble:)`` is
    /// to be called at once.
    case endpoint(Endpoint)
    /// It waits in the breaker's line, and is woken.
    case queued
    /// The line is full (503, `UO`).
    case overflow
    /// No endpoint is usable (503, `UH`).
    case none
}

/// The endpoints of one backend under one policy: who is chosen, and how much at once.
final class Cluster {
    var revision: UInt64 = 0
    private(set) var endpoints: [Endpoint] = []
    /// How connections to the endpoints are made, as of the revision.
    var transport: UpstreamTransport
    /// Of a host that requests name: when one did so last.
    var usedAt = Instant(nanoseconds: 0)
    /// Nil: no policy looks at outcomes.
    var outliers: ClusterOutliers?
    let breaker: Breaker
    private let balancer: Balancer
    /// `namespace/name:port` and what makes it another one, for the log.
    private(set) var name = ""
    /// Active checks look after its endpoints.
    private(set) var isChecked = false
    /// Nothing could be served by it: requests go to the central gateway.
    private var diversion: Diversion?
    /// A choice looks at the request: at what is hashed, or for an endpoint that it names.
    private(set) var looksAtRequests = false
    private let worker: Worker

    init(_ config: ClusterConfig, transport: UpstreamTransport, tables: RendezvousTables, worker: Worker) {
        self.transport = transport
        self.worker = worker
        breaker = Breaker(slot: config.slot, worker: worker)
        balancer = Balancer(turn: Int(truncatingIfNeeded: worker.random.next() >> 33), tables: tables)
        breaker.closeOneIdle = { [unowned self] in endpoints.contains { $0.closeOneIdle() } }
    }

    /// Takes the newest snapshot's word.
    func adopt(_ config: ClusterConfig, _ endpoints: [Endpoint], in snapshot: Snapshot) {
        self.endpoints = endpoints
        name = snapshot.text(config.name).string
        let traffic = config.traffic.isEmpty ? ClusterTrafficConfig() : snapshot[config.traffic, 0].pointee
        looksAtRequests =
            traffic.loadBalancer.algorithm == .consistentHash || !traffic.loadBalancer.overrideHeaders.isEmpty
        let candidates = endpoints.indices.map { index in
            var candidate = Candidate(slot: endpoints[index].slot, key: endpoints[index].key)
            // Those of a host that requests name are not in the snapshot.
            if index < Int(config.endpoints.count) {
                let record = snapshot[config.endpoints, index]
                candidate.weight = max(1, record.pointee.weight)
                candidate.zone = record.pointee.zone.offset
            }
            return candidate
        }
        isChecked = !traffic.healthCheck.isEmpty && !snapshot[traffic.healthCheck, 0].pointee.active.isEmpty
        let panicThreshold = traffic.healthCheck.isEmpty ? 0 : snapshot[traffic.healthCheck, 0].pointee.panicThreshold
        balancer.adopt(
            candidates,
            BalancingPolicy(
                traffic.loadBalancer, in: snapshot,
                panicThreshold: UInt32(panicThreshold)))
        breaker.adopt(traffic.circuitBreaker)
    }

    // MARK: requests

    /// Chooses an endpoint for a request and takes its permit, or has it wait.
    /// - Parameters:
    ///   - place: where it would wait, or waits.
    ///   - wish: what the request says of the endpoint.
    ///   - fresh: only this endpoint, on a new connection.
    func choose(
        _ place: WaitingPlace, wish: EndpointWish = EndpointWish(), tried: TriedEndpoints = TriedEndpoints(),
        fresh: Endpoint? = nil
    ) -> EndpointChoice {
        guard !endpoints.isEmpty else { return .none }
        guard breaker.takeRequest(place) else { return waits(place) ? .queued : .overflow }
        switch find(wish, tried, fresh) {
        case .found(let endpoint):
            breaker.leave(place)
            return .endpoint(endpoint)
        case .full:
            breaker.putBackRequest()
            return waits(place) ? .queued : .overflow
        case .none:
            breaker.leave(place)
            breaker.giveRequest()
            return .none
        }
    }

    /// Joins the line, or stays there. False: it is full.
    func waits(_ place: WaitingPlace) -> Bool { place.isWaiting || breaker.join(place) }

    private enum Finding {
        case found(Endpoint)
        case full, none
    }

    private func find(_ wish: EndpointWish, _ tried: TriedEndpoints, _ fresh: Endpoint?) -> Finding {
        let (version, canBeRepeated) = (wish.version, wish.canBeRepeated)
        if let fresh {
            return fresh.prepare(alone: true, version: version, canBeRepeated: canBeRepeated) ? .found(fresh) : .full
        }
        if wish.isOnly {
            guard let only = wish.endpoint else { return .none }
            return only.prepare(alone: false, version: version, canBeRepeated: canBeRepeated) ? .found(only) : .full
        }
        // Whose ejection is over is tried by one request, at its first attempt.
        if tried.isEmpty, let probation = outliers?.probation(of: endpoints) {
            return probation.prepare(alone: false, version: version, canBeRepeated: canBeRepeated)
                ? .found(probation) : .full
        }
        if let named = wish.endpoint, !tried.contains(named.key),
            named.prepare(alone: false, version: version, canBeRepeated: canBeRepeated)
        {
            return .found(named)
        }
        guard
            let index = balancer.choose(
                worker.liveState, now: worker.loop.now, hash: wish.hash, tried: tried, using: &worker.random)
        else { return .none }
        let chosen = endpoints[index]
        if chosen.prepare(alone: false, version: version, canBeRepeated: canBeRepeated) { return .found(chosen) }
        // Its connections are all in use, and it may have no more. A request with a hash waits for its own endpoint.
        if wish.hash != nil { return .full }
        for other in endpoints.indices where other != index && balancer.mayServe(other, worker.liveState) {
            if endpoints[other].prepare(alone: false, version: version, canBeRepeated: canBeRepeated) {
                return .found(endpoints[other])
            }
        }
        return .full
    }

    // MARK: all others

    /// An endpoint for what waits in no line: a mirror, a session of datagrams, a relay. Nil: none is usable.
    func next(tried: TriedEndpoints = TriedEndpoints()) -> Endpoint? {
        balancer.choose(worker.liveState, now: worker.loop.now, hash: nil, tried: tried, using: &worker.random)
            .map { endpoints[$0] }
    }

    /// Endpoints that are usable now.
    var usable: Int { balancer.usable(worker.liveState, now: worker.loop.now) }

    /// Where an endpoint's latency is looked at, so that it must be told.
    var weighsLatency: Bool { balancer.policy.algorithm == .peakEWMA }

    /// The endpoint of this identity, when it is one of the cluster's and may serve.
    func usableEndpoint(_ identity: UInt64) -> Endpoint? {
        guard let index = endpoints.firstIndex(where: { $0.identity == identity }),
            balancer.mayServe(index, worker.liveState)
        else { return nil }
        return endpoints[index]
    }

    /// The usable endpoint with this address.
    func endpoint(_ address: SocketAddress) -> Endpoint? {
        guard let index = endpoints.firstIndex(where: { $0.address == address && $0.unixPath.isEmpty }),
            balancer.mayServe(index, worker.liveState)
        else { return nil }
        return endpoints[index]
    }

    // MARK: the way out

    var isDiverted: Bool { diversion != nil }

    /// Nothing can be served by it: until it can, all requests go to the central gateway.
    func divert() {
        if diversion == nil { diversion = Diversion(of: self, worker: worker) }
    }

    func endDiversion() {
        diversion?.end(isBack: true)
        diversion = nil
    }

    /// The usable endpoints in turn; nil: there is none.
    func next(turn: Int) -> Endpoint? {
        for offset in endpoints.indices {
            let index = (turn + offset) % endpoints.count
            if balancer.mayServe(index, worker.liveState) { return endpoints[index] }
        }
        return nil
    }

    deinit {
        diversion?.end(isBack: false)
        breaker.closeOneIdle = nil
    }
}

/// What a request says of the endpoint it should go to.
struct EndpointWish {
    /// Of what consistent hashing looks at; nil: it has nothing of it.
    var hash: UInt64?
    /// Whom a header names (`endpointOverride`).
    var endpoint: Endpoint?
    /// No other one will do: its own address was called.
    var isOnly = false
    /// As for ``Endpoint/lease(for:version:canBeRepeated:)``: what is prepared must be what is leased.
    var version: UInt8 = 0
    var canBeRepeated = true
}
