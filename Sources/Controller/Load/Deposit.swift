import Core
import IO
import Manifest

/// The text of the running set, as the supervisor keeps it for a controller that comes after this one: the files on disk
/// may have changed since, and what runs is not what they say. The files that manifests name, keys among them, are kept
/// too.
///
///     magic · loadedAt · count, then as many manifests · count, then as many files that they name
///     each: length of path, length of content (all ones: it could not be read), path, content
enum Deposit {
    struct Content {
        var files: ManifestFiles
        var followed: [FollowedFile]
        var loadedAt: Int64
    }

    private static let magic: UInt64 = 0x534C_4450_0000_0002
    private static let unreadable = UInt64.max

    static func seal(
        _ files: ManifestFiles, followed: [FollowedFile] = [], loadedAt: Int64
    ) throws(Errno) -> SharedFD {
        var buffer = ByteBuffer(
            capacity: files.files.reduce(24) { $0 + 16 + $1.path.utf8.count + $1.bytes.count })
        buffer.append(word: magic)
        buffer.append(word: UInt64(bitPattern: loadedAt))
        buffer.append(word: UInt64(files.files.count))
        for file in files.files {
            buffer.append(word: UInt64(file.path.utf8.count))
            buffer.append(word: UInt64(file.bytes.count))
            buffer.append(string: file.path)
            file.bytes.withView { buffer.append($0) }
        }
        buffer.append(word: UInt64(followed.count))
        for file in followed {
            buffer.append(word: UInt64(file.path.utf8.count))
            buffer.append(word: file.octets.map { UInt64($0.count) } ?? unreadable)
            buffer.append(string: file.path)
            file.octets?.withView { buffer.append($0) }
        }
        let view = buffer.view
        return try SealedBlock.make("sluice-manifests", UnsafeRawBufferPointer(start: view.base, count: view.count))
    }

    /// Nil when it is none: it came from a controller of another version.
    static func open(_ fd: CInt) -> Content? {
        guard let block = try? SealedBlock(fd) else { return nil }
        var rest = ByteView(block.base.assumingMemoryBound(to: UInt8.self), count: block.size)
        func word() -> UInt64? {
            guard rest.count >= 8 else { return nil }
            var value: UInt64 = 0
            for i in 0..<8 { value |= UInt64(rest[i]) << UInt64(8 * i) }
            rest = rest.from(8)
            return value
        }
        func octets(_ count: UInt64) -> ByteView? {
            guard count <= UInt64(rest.count) else { return nil }
            defer { rest = rest.from(Int(count)) }
            return rest.upTo(Int(count))
        }
        guard word() == magic, let loadedAt = word(), let count = word() else { return nil }
        var files: [ManifestFiles.File] = []
        for _ in 0..<count {
            guard let pathLength = word(), let length = word(), let path = octets(pathLength),
                let bytes = octets(length)
            else { return nil }
            files.append(ManifestFiles.File(path: path.string, bytes: bytes.array))
        }
        guard let followedCount = word() else { return nil }
        var followed: [FollowedFile] = []
        for _ in 0..<followedCount {
            guard let pathLength = word(), let length = word(), let path = octets(pathLength) else { return nil }
            guard length != unreadable else {
                followed.append(FollowedFile(path: path.string, octets: nil))
                continue
            }
            guard let bytes = octets(length) else { return nil }
            followed.append(FollowedFile(path: path.string, octets: bytes.array))
        }
        return Content(
            files: ManifestFiles(files: files), followed: followed, loadedAt: Int64(bitPattern: loadedAt))
    }
}

extension ByteBuffer {
    /// Eight octets, the lowest first.
    fileprivate mutating func append(word: UInt64) {
        for i in 0..<8 { append(byte: UInt8(truncatingIfNeeded: word >> UInt64(8 * i))) }
    }
}
