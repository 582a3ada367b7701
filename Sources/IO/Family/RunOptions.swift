import CLinux
import Core

/// How much is said, in rising gravity. `--log-level` names the least that is written.
public enum LogLevel: String, Comparable, Sendable, CaseIterable {
    case debug, info, warning, error

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

/// Where the admin interface listens.
public enum AdminAddress: Equatable, Sendable, CustomStringConvertible {
    case tcp(SocketAddress)
    case unix(path: String)
    case off

    public var description: String {
        switch self {
        case .tcp(let address): address.description
        case .unix(let path): "unix:" + path
        case .off: "off"
        }
    }
}

/// What `sluice run` was asked for, with the defaults in place. Every process of the family has the same.
public struct RunOptions: Equatable, Sendable {
    /// Files and folders of manifests.
    public var paths: [String] = ["routes"]
    public var workers = 1
    public var admin = AdminAddress.tcp(SocketAddress(ip: IPAddress(v4: 127, 0, 0, 1), port: 15000))
    public var pidFile: String?
    public var logLevel = LogLevel.info
    /// As typed after `--access-log`; nil when it was not given.
    public var accessLog: String?
    public var drainTimeout = TimeAmount.seconds(30)
    public var drainDelay = TimeAmount.zero
    public var upgradeTimeout = TimeAmount.seconds(3600)
    public var user: String?
    public var stateDirectory: String?
    /// `IP[:PORT]`, several by commas: asked for backends' names instead of the servers of resolv.conf.
    public var dnsServers: String?
    /// As typed after `--rate-limit-redis`: the server where global rate limits are counted; nil: in this gateway.
    public var rateLimitRedis: String?
    /// The same server as it may be shown: without user and password.
    public var rateLimitService: String?
    /// Octets that all processes together may take; nil: what their group of processes may (cgroups(7)).
    public var memoryLimit: UInt64?
    /// The zone that the gateway runs in; empty: not told.
    public var zone = ""
    /// Of the socket of a guard (`sluice guard`); nil: none.
    public var guardPath: String?
    /// Reload when the files change.
    public var watch = false

    public init() {}

    /// The cores this process may use (sched_getaffinity(2)).
    public static var usableCores: Int { Int(clinux_usable_cores()) }
}
