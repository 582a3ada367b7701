import Core
import IO

/// What `sluice guard` was asked for.
public struct GuardOptions: Equatable, Sendable {
    /// Of the socket at which families and questions arrive.
    public var socketPath = ""
    /// Central gateways of addresses for which the family named none, the preferred first.
    public var central: [CentralAddress] = []
    /// Octets go to the central gateway behind a PROXY header that names the client (version 2).
    public var tellsClients = false
    /// How long connections may be relayed after the family is back.
    public var linger = TimeAmount.seconds(600)
    /// How long they may go on after the guard was told to end.
    public var drainTimeout = TimeAmount.seconds(30)
    /// Connections that are relayed at once; descriptors may allow fewer.
    public var connections = GuardLimits.connections
    /// Those that come from one address of another machine; nil: ``GuardLimits/peersShare`` of them all.
    public var peerConnections: Int?
    public var logLevel = LogLevel.info

    public init() {}
}

/// Where a central gateway listens.
public struct CentralAddress: Equatable, Sendable {
    public var ip: IPAddress
    /// 0: the port that the connection came to.
    public var port: UInt16

    public init(ip: IPAddress, port: UInt16 = 0) {
        self.ip = ip
        self.port = port
    }

    /// Reads `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]:80`; nil for anything else.
    public init?(_ text: String) {
        if let address = SocketAddress(text), address.port > 0 {
            self.init(ip: address.ip, port: address.port)
        } else if let ip = IPAddress(text) {
            self.init(ip: ip)
        } else {
            return nil
        }
    }

    /// For connections that came to this port.
    func address(from port: UInt16) -> SocketAddress { SocketAddress(ip: ip, port: self.port == 0 ? port : self.port) }
}

/// The limits of a guard.
public enum GuardLimits {
    /// Connections that are relayed at once, unless `--max-connections` says otherwise.
    public static let connections = 16_384
    /// Of all connections, the part that one other machine may have, unless `--max-connections-per-peer` says otherwise.
    static let peersShare = 4
    /// How long one central gateway may take to accept.
    static let connect = TimeAmount.seconds(1)
    /// A central gateway that could not be connected to is asked last for so long.
    static let rest = TimeAmount.seconds(1)
    /// A relayed connection on which nothing moves is closed.
    static let idle = TimeAmount.seconds(3600)
    /// The same, once one side has said that it sends no more.
    static let halfClosed = TimeAmount.seconds(60)
    /// Connections taken from one socket before others have their turn.
    static let acceptsPerTurn = 64
    /// Octets moved in one direction of a connection before others have their turn.
    static let octetsPerTurn = 512 * 1024
    /// Of a pipe, which a connection has only while octets are under way in it.
    static let pipeCapacity = 256 * 1024
    /// Free pipes that are kept.
    static let freePipes = 64
    /// Processes that talk to the guard at once.
    static let links = 16
    /// Messages of one of them before others have their turn.
    static let messagesPerTurn = 64
    /// Listening addresses.
    static let addresses = ControllerRequest.addressLimit
    /// When the system has no descriptor, accepting goes on so much later.
    static let exhaustionPause = TimeAmount.milliseconds(100)
    /// Descriptors that one connection may need: two sockets, and a pipe for each direction.
    static let descriptorsPerRelay = 6
    /// Descriptors that are not for relays and listening sockets.
    static let reservedDescriptors = 64
}
