import CLinux
import Core
import Glibc

/// Which process of the family this is.
public enum Role: Equatable, Sendable {
    case controller
    case worker(index: Int)

    /// As ps(1) shows it.
    public var title: String {
        switch self {
        case .controller: "sluice: controller"
        case .worker(let index): "sluice: worker \(index)"
        }
    }
}

/// The codes that children exit with; how the supervisor tells a decision from an accident.
public enum RoleExit {
    /// It did what it was told to: quit, or drained.
    public static let done: Int32 = 0
    /// The manifests were refused, and the findings are printed (controller only).
    public static let refused: Int32 = 3
    /// It cannot do its work here and said why: a log file that cannot be opened, privileges that cannot be dropped.
    public static let unable: Int32 = 4
}

/// The numbers under which every child finds what it inherits.
public enum InheritedFD {
    public static let link: CInt = 3
    public static let liveState: CInt = 4
    public static let statistics: CInt = 5
    /// The admin interface's listening socket, in the controller; absent with `--admin off`.
    public static let admin: CInt = 6
    /// Where the last worker takes calls of isolated services, in all workers; absent where there is one alone.
    public static let isolation: CInt = 7
    /// Numbers below this are taken; the supervisor keeps what it passes on above it.
    public static let end: CInt = 16
}

/// What a worker starts with.
public struct WorkerStart {
    public let index: Int
    public let options: RunOptions
    public let link: WorkerLink
    public let liveState: UnsafeMutableRawBufferPointer
    public let statistics: UnsafeMutableRawBufferPointer
    /// The listening socket of isolated services; nil: there is no other worker. It outlives this process, so nobody else can
    /// take its name while the one that serves it is being started again.
    public let isolation: SharedFD?
}

/// What the controller starts with.
public struct ControllerStart {
    public let options: RunOptions
    public let link: ControllerLink
    public let liveState: UnsafeMutableRawBufferPointer
    public let statistics: UnsafeMutableRawBufferPointer
    /// The listening socket of the admin interface, non-blocking; nil when it is off. It outlives this process.
    public let admin: SharedFD?
}

/// Whom a child becomes before it does anything.
public struct Identity: Equatable, Sendable {
    public var uid: UInt32
    public var gid: UInt32
    public var name: String

    public init(uid: UInt32, gid: UInt32, name: String) {
        self.uid = uid
        self.gid = gid
        self.name = name
    }
}

/// The first steps of a child's life, before its role begins.
public enum RoleEntry {
    /// Takes the identity, ties the process to its parent's life, and takes over what was inherited.
    /// - Throws: a sentence for the log, when the process cannot go on.
    public static func worker(
        index: Int, options: RunOptions, identity: Identity?
    ) throws(RoleFailure) -> WorkerStart {
        try settle(.worker(index: index), identity)
        let isolation = options.workers > 1 ? SharedFD(OwnedFD(adopting: InheritedFD.isolation)) : nil
        return WorkerStart(
            index: index, options: options, link: WorkerLink(fd: OwnedFD(adopting: InheritedFD.link)),
            liveState: try map(InheritedFD.liveState), statistics: try map(InheritedFD.statistics),
            isolation: isolation)
    }

    public static func controller(options: RunOptions, identity: Identity?) throws(RoleFailure) -> ControllerStart {
        try settle(.controller, identity)
        let admin = options.admin == .off ? nil : SharedFD(OwnedFD(adopting: InheritedFD.admin))
        return ControllerStart(
            options: options, link: ControllerLink(fd: OwnedFD(adopting: InheritedFD.link)),
            liveState: try map(InheritedFD.liveState), statistics: try map(InheritedFD.statistics), admin: admin)
    }

    /// Of the controller, beside the workers' 0: where both want one core, a worker has nine tenths of it.
    private static let controllerNiceness: CInt = 10

    private static func settle(_ role: Role, _ identity: Identity?) throws(RoleFailure) {
        clinux_set_name(role.title)
        // A change of manifests is work for milliseconds or seconds; requests do not wait behind it (nice(2)).
        if role == .controller { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, controllerNiceness) }
        signal(SIGPIPE, SIG_IGN)
        if let identity {
            let result = clinux_drop_privileges(identity.uid, identity.gid, identity.name)
            guard result == 0 else {
                throw RoleFailure("cannot become user '\(identity.name)': \(Errno(-result))")
            }
        }
        // After the change of user, which clears it (prctl(2)). If the parent is gone already, the link says so.
        clinux_die_with_parent(SIGKILL)
        for number in InheritedFD.link...InheritedFD.isolation { clinux_fd_flags(number, 1) }
    }

    private static func map(_ fd: CInt) throws(RoleFailure) -> UnsafeMutableRawBufferPointer {
        do {
            return try SharedMemory.map(fd)
        } catch {
            throw RoleFailure("cannot map the family's shared memory: \(error)")
        }
    }
}

/// Why a child cannot begin its role.
public struct RoleFailure: Error, CustomStringConvertible, Sendable {
    public let description: String
    init(_ description: String) { self.description = description }
}
