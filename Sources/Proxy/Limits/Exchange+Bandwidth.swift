import Config
import Connection
import Core
import HTTP
import Upstream

/// Bandwidth limits (BackendTrafficPolicy `bandwidthLimit`): a body moves as far as its rule's bucket gives, which all
/// workers share, and waits for a timer then.
extension Exchange {
    private var bandwidth: UnsafePointer<BandwidthLimitConfig>? {
        guard let rule, !rule.pointee.traffic.isEmpty else { return nil }
        let traffic = snapshot[rule.pointee.traffic, 0]
        return traffic.pointee.bandwidthLimit.isEmpty ? nil : snapshot[traffic.pointee.bandwidthLimit, 0]
    }

    enum Direction { case request, response }

    /// Octets of a body that may move now; nil: none, the exchange goes on when a timer says so.
    func allowance(_ direction: Direction) -> Int? {
        guard let rate = rate(direction) else { return Relay.octetsPerTurn }
        let now = worker.loop.now
        switch bucket(direction).allowance(rate: rate, now: now) {
        case .octets(let octets):
            limits.goesOn(direction, now)
            return min(octets, Relay.octetsPerTurn)
        case .wait(let moment):
            limits.waits(direction, now, until: moment)
            armDeadline()
            return nil
        }
    }

    /// So many octets have moved.
    func charge(_ direction: Direction, _ octets: UInt64) {
        guard octets > 0, let rate = rate(direction) else { return }
        bucket(direction).charge(Int(clamping: octets), rate: rate, now: worker.loop.now)
    }

    private func rate(_ direction: Direction) -> UInt64? {
        guard let bandwidth else { return nil }
        let rate = direction == .request ? bandwidth.pointee.request : bandwidth.pointee.response
        return rate > 0 && rate <= BandwidthBucket.fastest ? rate : nil
    }

    private func bucket(_ direction: Direction) -> BandwidthBucket {
        guard let rule else { preconditionFailure("a limit without its rule") }
        let identity = snapshot[rule.pointee.traffic, 0].pointee.identity
        let now = worker.loop.now
        return direction == .request
            ? worker.liveState.limits.requestBandwidth(identity, now: now)
            : worker.liveState.limits.responseBandwidth(identity, now: now)
    }

    /// What the limits have cost in time, as trailers (`response.responseTrailers`), where the client's connection has a
    /// place for some. Called as the response's body ends.
    func addBandwidthTrailers() {
        guard let bandwidth, bandwidth.pointee.hasTrailers, let downstream,
            limits.requestDelay > .zero || limits.responseDelay > .zero
        else { return }
        var lines = ByteBuffer()
        let now = worker.loop.now
        add("bandwidth-request-delay-ms", headAt - startedAt, to: &lines)
        add("bandwidth-response-delay-ms", now - headAt, to: &lines)
        add("bandwidth-request-filter-delay-ms", limits.requestDelay, to: &lines)
        add("bandwidth-response-filter-delay-ms", limits.responseDelay, to: &lines)
        downstream.appendTrailers(lines.view)
    }

    private func add(_ name: StaticString, _ time: TimeAmount, to lines: inout ByteBuffer) {
        if let bandwidth, !bandwidth.pointee.trailerPrefix.isEmpty {
            lines.append(snapshot.text(bandwidth.pointee.trailerPrefix))
            lines.append("-")
        }
        lines.append(name)
        lines.append(": ")
        lines.append(decimal: UInt64(max(0, time.milliseconds)))
        lines.append("\r\n")
    }
}
