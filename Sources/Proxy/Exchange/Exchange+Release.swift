import Config
import Connection
import Core
import HTTP
import Upstream

/// What one exchange knows of its client's persistent session.
struct SessionProgress: BitwiseCopyable {
    /// What the client showed, when it counts.
    var token: SessionToken?
    /// The endpoint that it is to be served by; 0: any.
    var endpoint: UInt64 = 0
}

/// Which backendRef a request goes to where more than the weights as written decides: a session that persists, a key, a
/// rollout; and what is counted for the rollout. A rule without any of them is asked for one empty table.
extension Exchange {
    /// A cookie that names a user for a split lives a year (browsers keep none much longer).
    static let splitCookieAge = 31_536_000

    func release(of rule: UnsafePointer<RuleConfig>) -> UnsafePointer<ReleaseConfig>? {
        guard !rule.pointee.traffic.isEmpty else { return nil }
        let release = snapshot[rule.pointee.traffic, 0].pointee.release
        return release.isEmpty ? nil : snapshot[release, 0]
    }

    /// The backend that the request goes to; nil when the rule has none, or none with a weight.
    func chooseBackend(
        _ rule: UnsafePointer<RuleConfig>, _ message: RequestMessage, _ bytes: ByteView
    ) -> UnsafePointer<BackendConfig>? {
        // Priorities come first: a split that gave its share to a fallback would be none of either.
        guard !rule.pointee.hasFallback, let release = release(of: rule) else { return pickBackend(rule) }
        let count = Int(rule.pointee.backends.count)
        guard count > 0 else { return nil }
        let records = snapshot.records(rule.pointee.backends)
        let weights = weights(of: release, records, count)
        guard weights.total > 0 else { return nil }
        if !release.pointee.persistence.isEmpty, let index = resume(release, weights, records, message, bytes) {
            return records + index
        }
        if !release.pointee.splitKey.isEmpty, let key = splitKey(release, message, bytes) {
            let identities = snapshot.records(release.pointee.backends)
            return KeyedSplit.pick(key: key, count: count, identity: { identities[$0] }, weight: { weights[$0] })
                .map { records + $0 }
        }
        return worker.weights.pick(rule, weights, in: snapshot).map { records + $0 }
    }

    private func weights(
        of release: UnsafePointer<ReleaseConfig>, _ records: UnsafePointer<BackendConfig>, _ count: Int
    ) -> RuleWeights {
        guard !release.pointee.rollout.isEmpty else { return RuleWeights(records, count: count) }
        let rollout = snapshot[release.pointee.rollout, 0].pointee
        let cell = BackendRefCell(worker.liveState, rollout.canarySlot)
        return RuleWeights(
            records, count: count, rollout: rollout,
            share: cell.share(specHash: rollout.specHash) ?? rollout.firstShare)
    }

    // MARK: sessions that persist

    /// The backend of the session that the client shows. One without weight any more serves nobody; a session that is over,
    /// or another gateway's, is as none.
    private func resume(
        _ release: UnsafePointer<ReleaseConfig>, _ weights: RuleWeights, _ records: UnsafePointer<BackendConfig>,
        _ message: RequestMessage, _ bytes: ByteView
    ) -> Int? {
        let config = snapshot[release.pointee.persistence, 0]
        let name = snapshot.text(config.pointee.name)
        let text =
            switch config.pointee.carrier {
            case .cookie: cookie(name, message, bytes)
            case .header: headerValue(name, message, bytes)
            }
        guard let text, let key = worker.liveState.sessionKey, let token = SessionToken(text, key: key),
            !token.isOver(
                now: secondsNow, absolute: config.pointee.absoluteTimeout, idle: config.pointee.idleTimeout)
        else { return nil }
        for index in 0..<weights.count
        where snapshot[release.pointee.backends, index].pointee == token.backend && weights[index] > 0
            && records[index].cluster != BackendConfig.invalid
        {
            session.token = token
            session.endpoint = token.endpoint
            return index
        }
        return nil
    }

    /// The endpoint of the session, when it may still serve. Asked for the first attempt only.
    func persistentEndpoint() -> Endpoint? {
        guard session.endpoint != 0, attempts == 0 else { return nil }
        return cluster?.usableEndpoint(session.endpoint)
    }

    /// A response has come: tells the client which session it has from now on, unless it knows.
    func addSessionFields() {
        guard !isHandedOn, let rule, let backend, let release = release(of: rule),
            !release.pointee.persistence.isEmpty, let endpoint, let key = worker.liveState.sessionKey
        else { return }
        let config = snapshot[release.pointee.persistence, 0].pointee
        let index = backend - snapshot.records(rule.pointee.backends)
        var token = SessionToken(
            backend: snapshot[release.pointee.backends, index].pointee, endpoint: endpoint.identity,
            begun: secondsNow, lastUsed: secondsNow)
        if let known = session.token, known.backend == token.backend {
            token.begun = known.begun
            // Its last use matters only where rest ends it.
            if config.idleTimeout == 0 { token.lastUsed = known.lastUsed }
            if token == known { return }
        }
        let name = snapshot.text(config.name)
        switch config.carrier {
        case .header:
            addedResponseFields.append(name)
            addedResponseFields.append(": ")
            token.write(to: &addedResponseFields, key: key)
            addedResponseFields.append("\r\n")
        case .cookie:
            beginCookie(name)
            token.write(to: &addedResponseFields, key: key)
            let age = config.isPermanent ? Int64(token.begun) + Int64(config.absoluteTimeout) - Int64(secondsNow) : nil
            endCookie(path: snapshot.text(config.path), age: age.map { max(0, $0) })
        }
    }

    private var secondsNow: UInt32 { UInt32(clamping: startedWall / 1_000_000_000) }

    // MARK: splits by a key

    /// Nil: the request has no key.
    private func splitKey(
        _ release: UnsafePointer<ReleaseConfig>, _ message: RequestMessage, _ bytes: ByteView
    ) -> UInt64? {
        let config = snapshot[release.pointee.splitKey, 0].pointee
        // Not a secret: all that it must do is spread keys, and other ones for each rule.
        let key = SipHash.Key(low: config.salt, high: ~config.salt)
        let name = snapshot.text(config.name)
        switch config.source {
        case .header:
            return headerValue(name, message, bytes).map { SipHash.of($0, key: key) }
        case .cookie:
            if let value = cookie(name, message, bytes), !value.isEmpty { return SipHash.of(value, key: key) }
            return newUser(name, key)
        case .clientAddress:
            let ip = clientAddress.ip
            var hash = SipHash(key)
            hash.add(word: ip.high)
            hash.add(word: ip.low)
            return hash.value
        }
    }

    /// Gives the client a name of its own, by which it is known from now on.
    private func newUser(_ cookie: ByteView, _ key: SipHash.Key) -> UInt64 {
        beginCookie(cookie)
        var hash = SipHash(key)
        for _ in 0..<2 {
            let word = worker.random.next()
            var shift: UInt64 = 64
            while shift > 0 {
                shift -= 4
                let digit = ASCII.hexDigit(UInt8(truncatingIfNeeded: word >> shift) & 15)
                hash.add(digit)
                addedResponseFields.append(byte: digit)
            }
        }
        endCookie(path: ByteView("/"), age: Int64(Self.splitCookieAge))
        return hash.value
    }

    // MARK: fields

    private func headerValue(_ name: ByteView, _ message: RequestMessage, _ bytes: ByteView) -> ByteView? {
        message.head.fields.firstIndex(named: name, in: bytes).map { message.head.fields[$0].value(in: bytes) }
    }

    /// HTTP/2 may carry cookies in several lines (RFC 9113, section 8.2.3).
    private func cookie(_ name: ByteView, _ message: RequestMessage, _ bytes: ByteView) -> ByteView? {
        for i in 0..<message.head.fields.count where message.head.fields[i].name == .cookie {
            if let value = CookieView.firstValue(of: name, in: message.head.fields[i].value(in: bytes)) { return value }
        }
        return nil
    }

    private func beginCookie(_ name: ByteView) {
        addedResponseFields.append("Set-Cookie: ")
        addedResponseFields.append(name)
        addedResponseFields.append("=")
    }

    /// - Parameter age: seconds; nil: until the browser is closed.
    private func endCookie(path: ByteView, age: Int64?) {
        if !path.isEmpty {
            addedResponseFields.append("; Path=")
            addedResponseFields.append(path)
        }
        if let age {
            addedResponseFields.append("; Max-Age=")
            addedResponseFields.append(decimal: UInt64(clamping: age))
        }
        addedResponseFields.append(scheme == .https ? "; HttpOnly; Secure\r\n" : "; HttpOnly\r\n")
    }

    // MARK: what is counted

    /// The exchange is over: counted for its side of a rollout. What the client broke off says nothing of either side.
    func countForRollout() {
        guard let rule, let backend, let release = release(of: rule), !release.pointee.rollout.isEmpty else { return }
        switch reason {
        case .downstreamTermination, .downstreamProtocolError, .localReset: return
        default: break
        }
        let rollout = snapshot[release.pointee.rollout, 0].pointee
        let index = UInt32(backend - snapshot.records(rule.pointee.backends))
        guard index == rollout.canary || index == rollout.stable else { return }
        let cell = BackendRefCell(
            worker.liveState, index == rollout.canary ? rollout.canarySlot : rollout.stableSlot)
        cell.count(
            worker: worker.liveState.worker, isFailure: status >= 500 || status == 0 || reason != .none,
            latency: (headAt > startedAt ? headAt : worker.loop.now) - startedAt)
    }
}
