import Glibc
import IO

/// A folder of one test, removed with everything in it when the test lets go of it.
public final class TemporaryFolder: @unchecked Sendable {
    public let path: String

    public init() throws {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(errno) }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        // Other users too, where a test drops privileges.
        chmod(path, 0o755)
    }

    deinit { Self.remove(path) }

    /// Writes a file, whole at once, as an editor that renames does; folders in the name are made.
    @discardableResult
    public func write(_ name: String, _ text: String) throws -> String {
        let full = path + "/" + name
        var at = path.utf8.count + 1
        let octets = Array(full.utf8)
        while let slash = octets[at...].firstIndex(of: UInt8(ascii: "/")) {
            mkdir(String(decoding: octets[..<slash], as: UTF8.self), 0o755)
            at = slash + 1
        }
        let temporary = full + ".new"
        guard let file = fopen(temporary, "w") else { throw Errno(errno) }
        fputs(text, file)
        fclose(file)
        guard rename(temporary, full) == 0 else { throw Errno(errno) }
        return full
    }

    public func remove(_ name: String) { unlink(path + "/" + name) }

    public func read(_ name: String) -> String { Self.text(path + "/" + name) }

    /// A file's text; empty when it is not there.
    public static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var result: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&block, 1, block.count, file)
            guard count > 0 else { break }
            result += block[..<count]
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func remove(_ path: String) {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != ".", name != ".." { remove(path + "/" + name) }
            }
            closedir(folder)
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
