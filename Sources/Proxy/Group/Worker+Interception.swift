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
        guard let found, !isOwnListener(found), !isThere(found, socket) else { return nil }
        statistics.increment(.interceptedConnections)
        return .address(found)
    }

    /// Whether it is this very socket that was dialled, on an address that the machine has had only since the worker began.
    private func isThere(_ found: SocketAddress, _ socket: UnsafePointer<SocketConfig>) -> Bool {
        guard found.port == socket.pointee.address.port, socket.pointee.address.ip.isAny else { return false }
        return (try? HostAddresses())?.isOwn(found.ip) == true
    }
}
