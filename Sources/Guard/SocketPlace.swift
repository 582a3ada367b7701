import Glibc

/// The file of a socket that this process has bound, by which it is removed again: another process may have bound one at the
/// same path since.
final class SocketPlace {
    private let path: String
    private var file: (device: dev_t, number: ino_t)?

    init(_ path: String) {
        self.path = path
        file = Self.file(at: path)
    }

    /// Removes it, once.
    func leave() {
        defer { file = nil }
        guard let file, let found = Self.file(at: path), found == file else { return }
        unlink(path)
    }

    private static func file(at path: String) -> (device: dev_t, number: ino_t)? {
        var status = stat()
        return lstat(path, &status) == 0 ? (status.st_dev, status.st_ino) : nil
    }
}
