import Config
import Connection
import Core
import Glibc
import IO
import Telemetry

/// Connections that the kernel has brought here instead of where they were going.
extension Worker {
    /// Where a connection was going that came to a socket of an intercepting listener; nil: to the gateway itself.
    ///
    /// Who dials the gateway is not intercepted, and neither is who dials another of its listeners: going there would come
    /// back here, again and again.
    func dialled(
        _ fd: CInt, _ peer: SocketAddress, _ socket: UnsafePointer<SocketConfig>
    ) -> CallDestination? {
        let found: SocketAddress?
        switch socket.pointee.interception {
        case .none: return nil
        case .redirect: found = Socket.originalDestination(fd, isV4: peer.ip.isV4)
        case .tproxy: found = Socket.localAddress(fd)
        }
        guard let found, !isOwnListener(found), !isThere(found, socket) else { return nil }
        statistics.increment(.interceptedConnections)
        return .address(found)
    }

    /// Whether a connection that was redirected here is one that this worker has made itself a moment ago: to its destination
    /// it would be made again and again, each time through here. What comes back to another worker is made once more by that
    /// one, and found as soon as it comes back to where it was made.
    ///
    /// Costs nothing where nothing is redirected; else a look through a few hundred addresses for a connection.
    func hasComeBack(
        _ peer: SocketAddress, _ destination: CallDestination?, _ socket: UnsafePointer<SocketConfig>
    ) -> Bool {
        guard socket.pointee.interception == .redirect, case .address(let address) = destination else { return false }
        guard let dials = resources.recentDials else {
            // From now on those are kept that are made.
            resources.recentDials = RecentDials()
            return false
        }
        guard dials.contains(from: peer, to: address) else { return false }
        statistics.increment(.ownConnectionsIntercepted)
        if loop.now >= nextWordOnRules {
            nextWordOnRules = loop.now + Self.wordsOnRulesEvery
            log.error(
                """
                the gateway's own connections are intercepted, and refused: exclude its user from the kernel's rules \
                (sluice intercept --user, --group or --cgroup)
                """,
                ["destination": .init(address.description), "uid": .init(Int(geteuid()))])
        }
        return true
    }

    /// Between two lines in the log about rules that are wrong.
    static let wordsOnRulesEvery = TimeAmount.seconds(10)

    /// Whether it is this very socket that was dialled, on an address that the machine has had only since the worker began.
    private func isThere(_ found: SocketAddress, _ socket: UnsafePointer<SocketConfig>) -> Bool {
        guard found.port == socket.pointee.address.port, socket.pointee.address.ip.isAny else { return false }
        return (try? HostAddresses())?.isOwn(found.ip) == true
    }
}
