import Core
import Glibc
import IO

/// Why a family did not start, in a sentence for the one who started it.
struct StartFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension Identity {
    /// Looks a user up (getpwnam(3)); nil when we are that user already.
    static func named(_ name: String) throws(StartFailure) -> Identity? {
        guard let entry = getpwnam(name) else {
            throw StartFailure("--user \(name): there is no such user; name one of this machine ('getent passwd')")
        }
        let identity = Identity(uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid, name: name)
        if identity.uid == geteuid() { return nil }
        guard geteuid() == 0 else {
            throw StartFailure("--user \(name): only root can become another user; start as root, or leave it out")
        }
        return identity
    }
}
