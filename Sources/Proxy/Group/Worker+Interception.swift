import Config
import Connection
import Core
import IO

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
        guard let found, !isOwnListener(found) else { return nil }
        statistics.increment(.interceptedConnections)
        return .address(found)
    }
}
