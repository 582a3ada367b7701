import Glibc

/// A file that a manifest names by an annotation, such as a key that should not stand in YAML.
package enum ReferencedFile {
    /// Octets read at most; certificates and bundles are far smaller.
    package static let sizeLimit = 1024 * 1024

    /// The file's octets, or nil when it cannot be read or is too large.
    package static func read(_ path: String) -> [UInt8]? {
        var status = stat()
        // A pipe or a device would keep the reader waiting, or never end.
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var octets: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            octets += chunk[0..<count]
            if octets.count > sizeLimit || ferror(file) != 0 { return nil }
            if count < chunk.count { return octets }
        }
    }

    /// Why it cannot be read, as the end of a sentence; nil: it can, now.
    package static func problem(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return String(cString: strerror(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return "it is no regular file" }
        guard status.st_size <= sizeLimit else { return "it is larger than \(sizeLimit >> 20) MiB" }
        guard access(path, R_OK) == 0 else { return String(cString: strerror(errno)) }
        return nil
    }

    /// `name` as it is meant in the manifest at `manifest`.
    static func path(_ name: String, besides manifest: String) -> String {
        guard !name.utf8.starts(with: "/".utf8), let slash = manifest.lastIndex(of: "/") else { return name }
        return String(manifest[...slash]) + name
    }
}
