import Core
import Glibc
import IO
import Manifest

/// The files of one set of manifests, as they were read: what a set is loaded from, now or by a controller to come.
public struct ManifestFiles: Sendable {
    public struct File: Sendable {
        /// As findings show it: the path that was given, and what was found below it.
        public var path: String
        public var bytes: [UInt8]
    }

    /// Files of one set; beyond, the set is refused.
    public static let fileLimit = 65_536
    /// Octets of one set; beyond, the set is refused.
    public static let octetLimit = 512 * 1024 * 1024
    private static let extensions = [".yaml", ".yml", ".json"]

    /// As they were given; empty when the files came from elsewhere.
    let paths: [String]
    public private(set) var files: [File] = []
    /// What could not be read; such a set is malformed.
    public private(set) var findings: [Finding] = []
    private var octets = 0
    /// Device and inode of each folder on the way down: a link upwards would never end.
    private var folders: [FileIdentity] = []
    /// Of every file: one that is reached twice, by a link or by two PATHs, counts once.
    private var seen: Set<FileIdentity> = []

    private struct FileIdentity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    public init(files: [File]) {
        paths = []
        self.files = files
    }

    /// Reads the PATHs in their order: a file as it is, of a folder everything below it that ends in `.yaml`, `.yml` or
    /// `.json`, in the order of the names' octets. Names that begin with a dot are passed over: editors and mounted
    /// ConfigMaps keep their own business there. Links are followed.
    public init(reading paths: [String]) {
        self.paths = paths
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0 else {
                refuse(path, "cannot be read: \(Errno(errno)); PATH must be a file or a folder")
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                readFolder(path, status)
            } else {
                readFile(path, status)
            }
        }
    }

    /// Of paths and contents: equal for equal sets.
    public var hash: UInt64 {
        var hash = RollingHash()
        for file in files {
            for byte in file.path.utf8 { hash.add(byte) }
            hash.add(0)
            file.bytes.withUnsafeBufferPointer { for byte in $0 { hash.add(byte) } }
            hash.add(0)
        }
        return hash.value
    }

    private mutating func refuse(_ path: String, _ message: String) {
        findings.append(Finding(.malformed, at: SourceLocation(file: path, line: 1, column: 1), message))
    }

    private mutating func readFolder(_ path: String, _ status: stat) {
        let identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        guard !folders.contains(identity) else { return }
        guard let folder = opendir(path) else { return refuse(path, "cannot be read: \(Errno(errno))") }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        closedir(folder)
        folders.append(identity)
        defer { folders.removeLast() }
        let prefix = path.hasSuffix("/") ? path : path + "/"
        for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            let below = prefix + name
            var status = stat()
            let isManifest = Self.extensions.contains { name.hasSuffix($0) }
            guard stat(below, &status) == 0 else {
                // A link that leads nowhere, or a file that went meanwhile, matters only when it would have been read.
                if isManifest { refuse(below, "cannot be read: \(Errno(errno))") }
                continue
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                readFolder(below, status)
            } else if isManifest {
                readFile(below, status)
            }
        }
    }

    private mutating func readFile(_ path: String, _ status: stat) {
        let identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        guard seen.insert(identity).inserted else { return }
        guard files.count < Self.fileLimit else {
            return refuse(path, "the set has more than \(Self.fileLimit) files, which is the limit")
        }
        // A pipe or a device would keep the controller waiting, or never end.
        guard status.st_mode & S_IFMT == S_IFREG else { return refuse(path, "is not a regular file") }
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return refuse(path, "cannot be read: \(Errno(errno))") }
        let fd = OwnedFD(adopting: raw)
        switch Self.contents(fd.raw, expecting: Int(status.st_size)) {
        case .success(let bytes):
            octets += bytes.count
            guard octets <= Self.octetLimit else {
                return refuse(path, "the set is larger than \(Self.octetLimit >> 20) MiB, which is the limit")
            }
            files.append(File(path: path, bytes: bytes))
        case .failure(let error): refuse(path, "cannot be read: \(error)")
        }
    }

    /// One octet more than a manifest may have at most, so that its reader sees that it is too large.
    private static func contents(_ fd: CInt, expecting size: Int) -> Result<[UInt8], Errno> {
        let limit = ManifestLimits.fileSize + 1
        var bytes: [UInt8] = []
        var room = min(limit, size + 1)
        while bytes.count < limit {
            var failure: Errno?
            let had = bytes.count
            bytes.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                    let result = read(fd, buffer.baseAddress, room)
                    count = max(0, result)
                    if result < 0, errno != EINTR { failure = Errno(errno) }
                })
            if let failure { return .failure(failure) }
            if bytes.count == had { return .success(bytes) }
            room = min(limit - bytes.count, 64 * 1024)
        }
        return .success(bytes)
    }
}
