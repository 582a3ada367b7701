import Config
import Connection
import Core
import HTTP
import Routing
import Telemetry
import Upstream

/// Which backend and which endpoint, and waiting for a permit.
extension Exchange {
    // MARK: the backend

    /// A turn of the rule's backends; among those of the priority that is to serve, where there are two.
    func pickBackend(_ rule: UnsafePointer<RuleConfig>) -> UnsafePointer<BackendConfig>? {
        guard rule.pointee.hasFallback, let configuration else { return worker.weights.pick(rule, in: snapshot) }
        let isFirst = worker.random.next() % 100 < UInt64(firstPriorityShare(rule, configuration))
        return pick(rule, isFallback: !isFirst) ?? pick(rule, isFallback: isFirst)
    }

    /// Per cent of the requests that are not for the fallback.
    private func firstPriorityShare(
        _ rule: UnsafePointer<RuleConfig>, _ configuration: LiveConfiguration
    ) -> Int {
        var usable = (first: 0, fallback: 0)
        var total = usable
        for index in 0..<Int(rule.pointee.backends.count) {
            let backend = snapshot[rule.pointee.backends, index]
            guard backend.pointee.weight > 0, backend.pointee.cluster != BackendConfig.invalid else { continue }
            let cluster = configuration.cluster(backend.pointee.cluster, of: worker)
            if backend.pointee.isFallback {
                usable.fallback += cluster.usable
                total.fallback += cluster.endpoints.count
            } else {
                usable.first += cluster.usable
                total.first += cluster.endpoints.count
            }
        }
        return PriorityShares.first(
            usable: usable.first, of: total.first, fallbackUsable: usable.fallback, of: total.fallback)
    }

    /// One of a priority, by weight. The turns of the whole rule would not do: their order is made for all of them.
    private func pick(_ rule: UnsafePointer<RuleConfig>, isFallback: Bool) -> UnsafePointer<BackendConfig>? {
        var sum: UInt64 = 0
        for index in 0..<Int(rule.pointee.backends.count) {
            let backend = snapshot[rule.pointee.backends, index]
            if backend.pointee.isFallback == isFallback { sum += UInt64(backend.pointee.weight) }
        }
        guard sum > 0 else { return nil }
        var at = worker.random.next() % sum
        for index in 0..<Int(rule.pointee.backends.count) {
            let backend = snapshot[rule.pointee.backends, index]
            guard backend.pointee.isFallback == isFallback else { continue }
            if at < UInt64(backend.pointee.weight) { return backend }
            at -= UInt64(backend.pointee.weight)
        }
        return nil
    }

    // MARK: the endpoint

    /// Chooses an endpoint for an attempt and takes its permit. `queued`: ``attempt(fresh:)`` is called again later.
    /// - Parameters: as for ``Endpoint/lease(for:version:canBeRepeated:)``.
    func chooseEndpoint(fresh: Bool, version: UInt8, canBeRepeated: Bool) -> EndpointChoice {
        guard let cluster else { return .none }
        var wish = cluster.looksAtRequests ? wish(of: cluster) : EndpointWish()
        if let persistent = persistentEndpoint() { wish.endpoint = persistent }
        // Checks know of a central gateway's return, or death, up to a second late: who was not asked yet is asked.
        if isHandedOn, !tried.isEmpty { wish.endpoint = cluster.endpoints.first { !tried.contains($0.key) } }
        if let address = call?.endpoint {
            wish.endpoint = cluster.endpoint(address)
            wish.isOnly = true
        }
        wish.version = version
        wish.canBeRepeated = canBeRepeated
        if !waitingPlace.isWaiting {
            waitingPlace.flow = fair.flow
            waitingPlace.weight = fair.weight
        }
        switch cluster.choose(waitingPlace, wish: wish, tried: tried, fresh: fresh ? endpoint : nil) {
        case .endpoint(let target):
            permit = cluster.breaker
            retryPermit = nextRetryPermit.take()
            tried.add(target.key)
            return .endpoint(target)
        case .queued:
            waitsForFresh = fresh
            return .queued
        case .overflow: return .overflow
        case .none: return .none
        }
    }

    /// What looked like a connection was none, and there may be no other. True: it waits for one; false: too many do.
    func waitsAfterAll(_ fresh: Bool) -> Bool {
        guard let cluster else { preconditionFailure("an endpoint without its cluster") }
        permit.take()?.putBackRequest()
        nextRetryPermit = retryPermit.take()
        waitsForFresh = fresh
        return cluster.waits(waitingPlace)
    }

    /// A permit may be free. True: the exchange waits for none any more.
    func permitMayBeFree() -> Bool {
        precondition(phase == .queued, "an exchange is woken that does not wait")
        attempt(fresh: waitsForFresh)
        return phase != .queued
    }

    /// Gives back what the attempt that ends had taken.
    func givePermitBack() {
        permit.take()?.giveRequest()
        retryPermit.take()?.giveRetry()
    }

    /// Takes the permit for a retry, which the next attempt holds (`maxParallelRetries`, or `retryBudget` where it is written).
    func takeRetryPermit() -> Bool {
        guard let breaker = cluster?.breaker, breaker.takeRetry(limit: breaker.writtenRetryLimit) else { return false }
        nextRetryPermit = breaker
        return true
    }

    /// There will be no next attempt.
    func giveRetryPermitBack() {
        nextRetryPermit?.giveRetry()
        nextRetryPermit = nil
    }

    /// For clients that know Envoy's word for it, where the listener's policy lets it be said (`enableEnvoyHeaders`).
    func tellOverload() {
        guard let client, client.pointee.request.enablesEnvoyHeaders else { return }
        addedResponseFields.append("x-envoy-overloaded: true\r\n")
    }

    func leaveLine() {
        if waitingPlace.isWaiting { cluster?.breaker.leave(waitingPlace) }
    }

    /// Takes in how long the endpoint took to answer, where that decides.
    func noteLatency(of endpoint: Endpoint, status: UInt16) {
        guard cluster?.weighsLatency == true else { return }
        // Who answers nothing, at once, is not fast.
        let latency =
            status == 0 || headAt < attemptStarted
            ? max(Self.failurePenalty, worker.loop.now - attemptStarted) : headAt - attemptStarted
        LatencyAverage.add(latency, to: worker.liveState.endpoint(endpoint.slot), now: worker.loop.now)
    }

    private static let failurePenalty = TimeAmount.seconds(1)

    // MARK: what the request says

    /// Of the exchange's own snapshot: the cluster may have taken a newer one over.
    private func wish(of cluster: Cluster) -> EndpointWish {
        guard let backend, let message = downstream?.request, let bytes = downstream?.headBytes,
            backend.pointee.cluster != BackendConfig.invalid
        else { return EndpointWish() }
        let traffic = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)].pointee.traffic
        guard !traffic.isEmpty else { return EndpointWish() }
        let config = snapshot[traffic, 0].pointee.loadBalancer
        var wish = EndpointWish()
        if config.algorithm == .consistentHash {
            if !isHashed {
                isHashed = true
                requestHash = hash(config, message, bytes)
            }
            wish.hash = requestHash
        }
        for index in 0..<Int(config.overrideHeaders.count) {
            let name = snapshot.text(snapshot[config.overrideHeaders, index].pointee)
            guard let place = message.head.fields.firstIndex(named: name, in: bytes) else { continue }
            wish.endpoint = named(by: message.head.fields[place].value(in: bytes), cluster)
            if wish.endpoint != nil { break }
        }
        return wish
    }

    /// The first usable endpoint of a list `IP:PORT,…`.
    private func named(by value: ByteView, _ cluster: Cluster) -> Endpoint? {
        var at = 0
        while at < value.count {
            let end = value.firstIndex(of: ASCII.comma, from: at) ?? value.count
            if let address = SocketAddress(ofEndpoint: value[at..<end].trimmed),
                let endpoint = cluster.endpoint(address), !tried.contains(endpoint.key)
            {
                return endpoint
            }
            at = end + 1
        }
        return nil
    }

    /// Nil: the request has nothing of what is hashed, and any endpoint will do.
    private func hash(_ config: LoadBalancerConfig, _ message: RequestMessage, _ bytes: ByteView) -> UInt64? {
        switch config.hashSource {
        case .sourceIP:
            let ip = clientAddress.ip
            return HashMix.combine(HashMix.mix(ip.high), ip.low)
        case .headers:
            return hash(config.hashNames) { name in
                message.head.fields.firstIndex(named: name, in: bytes).map {
                    HashMix.hash(message.head.fields[$0].value(in: bytes))
                }
            }
        case .queryParams:
            guard let query = query(message, bytes) else { return nil }
            return hash(config.hashNames) { QueryView.firstValue(of: $0, in: query).map(HashMix.hash) }
        case .cookie:
            guard !config.hashNames.isEmpty else { return nil }
            let name = snapshot.text(snapshot[config.hashNames, 0].pointee)
            for index in 0..<message.head.fields.count {
                let line = message.head.fields[index]
                guard line.name == .cookie, let value = CookieView.firstValue(of: name, in: line.value(in: bytes))
                else { continue }
                return HashMix.hash(value)
            }
            return makeCookie(name, attributes: snapshot.text(config.cookieAttributes))
        }
    }

    /// All parts that the request has, in the order of the policy.
    private func hash(_ names: Table<TextRef>, _ part: (ByteView) -> UInt64?) -> UInt64? {
        var hash: UInt64?
        for index in 0..<Int(names.count) {
            guard let next = part(snapshot.text(snapshot[names, index].pointee)) else { continue }
            hash = HashMix.combine(hash ?? 0, next)
        }
        return hash
    }

    /// The client is given a cookie, by which its next requests go where this one goes.
    private func makeCookie(_ name: ByteView, attributes: ByteView) -> UInt64 {
        var value = ByteBuffer(capacity: 16)
        value.append(hex: worker.random.next())
        addedResponseFields.append("set-cookie: ")
        addedResponseFields.append(name)
        addedResponseFields.append(byte: ASCII.equals)
        addedResponseFields.append(value.view)
        addedResponseFields.append(attributes)
        addedResponseFields.append("\r\n")
        return HashMix.hash(value.view)
    }
}

extension SocketAddress {
    /// Reads `IP:PORT`, an IPv6 address in brackets. Allocates nothing for IPv4.
    init?(ofEndpoint text: ByteView) {
        var end = text.count
        while end > 0, text[end - 1] != ASCII.colon { end -= 1 }
        guard end > 1, let port = text.from(end).decimal, (1...65_535).contains(port) else { return nil }
        var host = text.upTo(end - 1)
        if host[0] == UInt8(ascii: "[") {
            guard host.count > 2, host[host.count - 1] == UInt8(ascii: "]") else { return nil }
            host = host[1..<(host.count - 1)]
        } else if host.firstIndex(of: ASCII.colon) != nil {
            return nil
        }
        guard let ip = IPAddress(host) else { return nil }
        self.init(ip: ip, port: UInt16(port))
    }
}
