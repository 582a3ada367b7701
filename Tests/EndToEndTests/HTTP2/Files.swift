import Core
import Glibc
import IO

/// Files that are no text.
enum Files {
    /// A file's octets; none when it is not there.
    static func octets(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var result: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = fread(&block, 1, block.count, file)
            guard count > 0 else { return result }
            result += block[..<count]
        }
    }

    /// - Returns: the path.
    static func write(_ octets: [UInt8], _ path: String) throws -> String {
        guard let file = fopen(path, "w") else { throw Errno(errno) }
        defer { fclose(file) }
        guard fwrite(octets, 1, octets.count, file) == octets.count else { throw Errno(errno) }
        return path
    }
}
