import Core
import Glibc
import IO

/// The admin interface's listening socket. The supervisor holds it, so that it outlives every controller.
final class AdminListener {
    let socket: SharedFD
    private let path: String?

    private init(socket: SharedFD, path: String?) {
        self.socket = socket
        self.path = path
    }

    /// - Parameter owner: who may use a socket at a path besides root; nil: the user that runs us.
    static func open(
        _ address: AdminAddress, owner: Identity?, _ patience: StartPatience
    ) throws(StartFailure) -> AdminListener? {
        while true {
            do throws(Errno) {
                switch address {
                case .off: return nil
                case .tcp(let address):
                    if let conflict = Socket.conflict(address) { throw conflict }
                    return AdminListener(socket: SharedFD(try Socket.listen(address)), path: nil)
                case .unix(let path): return AdminListener(socket: try listen(path, owner), path: path)
                }
            } catch {
                if patience.pauses(after: error) { continue }
                throw failure(address, error)
            }
        }
    }

    private static func failure(_ address: AdminAddress, _ error: Errno) -> StartFailure {
        switch address {
        case .unix(let path):
            StartFailure("--admin unix:\(path): cannot listen there: \(error); choose another path, or 'off'")
        case .tcp(let address):
            StartFailure("--admin \(address): cannot listen there: \(error); choose another address, or 'off'")
        case .off: preconditionFailure("nothing was opened")
        }
    }

    private static func listen(_ path: String, _ owner: Identity?) throws(Errno) -> SharedFD {
        var status = stat()
        if lstat(path, &status) == 0 {
            // Only a socket that nobody answers at is taken away: it is what a killed gateway leaves behind.
            guard status.st_mode & S_IFMT == S_IFSOCK else { throw Errno(EEXIST) }
            do throws(Errno) {
                _ = try Socket.connect(path: path)
                throw Errno(EADDRINUSE)
            } catch {
                guard error.code == ECONNREFUSED else { throw Errno(EADDRINUSE) }
            }
            unlink(path)
        }
        // Whoever can connect can reload and drain: this user and root only.
        let mask = umask(0o177)
        defer { umask(mask) }
        let fd = SharedFD(try Socket.listen(path: path))
        if let owner { chown(path, owner.uid, owner.gid) }
        return fd
    }

    func remove() {
        if let path { unlink(path) }
    }
}
