import CLinux
import Glibc

/// A descriptor that several may hold for a while: a message on its way, a table, a mapping. Closed with its last holder.
///
/// The supervisor keeps a listening socket and sends copies of it; a receiver owns what it received. So nobody ever asks
/// who closes a descriptor that was in a message, and a malformed message cannot leak one.
public final class SharedFD: Sendable {
    private let owned: OwnedFD

    public init(_ owned: consuming OwnedFD) { self.owned = owned }

    /// Lend it to one call; it is closed when the last holder of this object goes.
    public var raw: CInt { owned.raw }

    /// A second number for the same open file, with its own owner (F_DUPFD_CLOEXEC).
    /// - Throws: EMFILE at the limit of descriptors.
    public func duplicate() throws(Errno) -> OwnedFD {
        let raw = clinux_duplicate(owned.raw, 0)
        guard raw >= 0 else { throw Errno(-raw) }
        return OwnedFD(adopting: raw)
    }
}
