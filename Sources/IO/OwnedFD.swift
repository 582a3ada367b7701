import Glibc

/// A descriptor with one owner; closed when the owner goes.
public struct OwnedFD: ~Copyable, Sendable {
    /// Reused by the kernel the moment it is closed: lend it to one call, never store it.
    public let raw: CInt

    public init(adopting raw: CInt) {
        precondition(raw >= 0, "adopted the result of a failed call")
        self.raw = raw
    }

    /// Gives the number away; the caller closes it.
    public consuming func release() -> CInt {
        let number = raw
        discard self
        return number
    }

    deinit { _ = Glibc.close(raw) }  // Not retried on EINTR: Linux has freed the number already (close(2)).
}

/// An errno with its manual page's text.
public struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
    public let code: CInt

    public init(_ code: CInt) { self.code = code }
    public var description: String { String(cString: strerror(code)) }

    /// Something is used up on this side: descriptors, memory, ports, or places of our own (EBUSY). It says nothing of the other.
    public var isShortage: Bool {
        switch code {
        case EMFILE, ENFILE, EBUSY, EAGAIN, ENOBUFS, ENOMEM, EADDRNOTAVAIL: true
        default: false
        }
    }
}
