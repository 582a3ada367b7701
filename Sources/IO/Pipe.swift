import CLinux

/// A kernel pipe through which a body passes from socket to socket without being copied (splice(2)).
public final class Pipe {
    public let readEnd: CInt
    public let writeEnd: CInt
    public let capacity: Int
    /// Octets in it now.
    public var level = 0

    /// - Parameter capacity: wanted octets; the kernel may give fewer past the user's limit (pipe(7)).
    public init(capacity: Int) throws(Errno) {
        var ends: (CInt, CInt) = (-1, -1)
        let size = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: CInt.self, capacity: 2) { clinux_pipe($0, CInt(capacity)) }
        }
        guard size > 0 else { throw Errno(-size) }
        readEnd = ends.0
        writeEnd = ends.1
        self.capacity = Int(size)
    }

    deinit {
        _ = OwnedFD(adopting: readEnd)
        _ = OwnedFD(adopting: writeEnd)
    }
}
