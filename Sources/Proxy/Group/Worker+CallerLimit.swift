import Config
import Connection
import Core
import Telemetry
import Upstream

/// How many connections one caller of a group may have (`sluice.dev/max-connections-per-caller` on the Gateway).
extension Worker {
    /// As below, as soon as it is known who calls where no certificate is to tell.
    func countsCaller(
        on socket: UnsafePointer<SocketConfig>, _ origin: inout ConnectionOrigin, _ configuration: LiveConfiguration
    ) -> Bool {
        guard socket.pointee.groupListener != ListenerConfig.noGroup else { return true }
        // Within TLS the certificate tells who calls. TLS on its way to somewhere else is not ended here.
        guard !socket.pointee.beginsWithTLS || origin.destination != nil else { return true }
        let number = Int(socket.pointee.groupListener)
        return countsCaller(
            configuration.snapshot[configuration.snapshot.header.pointee.listeners, number], &origin, configuration)
    }

    /// Counts a connection as its caller's: by the certificate, else by the Service whose endpoint it is, else by the address.
    /// False: the caller has as many as it may have, and this one is to be refused.
    func countsCaller(
        _ listener: UnsafePointer<ListenerConfig>, _ origin: inout ConnectionOrigin, _ configuration: LiveConfiguration
    ) -> Bool {
        guard listener.pointee.isOfGroup, origin.callerKey == 0 else { return true }
        let group = configuration.routes.group(listener.pointee.group)
        guard group.pointee.connectionsPerCaller > 0 else { return true }
        let snapshot = configuration.snapshot
        var key = HashMix.combine(
            HashMix.hash(snapshot.text(group.pointee.namespace)), HashMix.hash(snapshot.text(group.pointee.name)))
        if let caller = origin.caller, caller.isVerified {
            key = HashMix.combine(key, caller.flow)
        } else if let workload = configuration.routes.workload(at: origin.peer.ip) {
            key = HashMix.combine(key, HashMix.hash(snapshot.text(workload.pointee.namespace)))
            key = HashMix.combine(key, HashMix.hash(snapshot.text(workload.pointee.service)))
        } else {
            key = HashMix.combine(key, FairUse.flow(ofAddress: origin.peer.ip))
        }
        // 0 means that it is not counted.
        key = max(1, key)
        guard liveState.callers.began(key, limit: group.pointee.connectionsPerCaller, now: loop.now) else {
            statistics.increment(.connectionLimitRefusals)
            return false
        }
        origin.callerKey = key
        return true
    }
}
