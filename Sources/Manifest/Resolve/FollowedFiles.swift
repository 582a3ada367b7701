/// A file that a set of manifests names, and what was in it: whoever follows the set follows the file too.
package struct FollowedFile: Equatable, Sendable {
    package var path: String
    /// Nil: it could not be read.
    package var octets: [UInt8]?

    package init(path: String, octets: [UInt8]?) {
        self.path = path
        self.octets = octets
    }
}

/// Reads the files that manifests name, each once, and remembers which they were.
final class FollowedFiles {
    private let readFile: (String) -> [UInt8]?
    private var contents: [String: [UInt8]?] = [:]

    /// Why a file cannot be read, for those who wrote its name; nil: nobody knows.
    let problem: (String) -> String?

    init(_ readFile: @escaping (String) -> [UInt8]?, problem: @escaping (String) -> String? = { _ in nil }) {
        self.readFile = readFile
        self.problem = problem
    }

    /// The octets of a file, or nil.
    func read(_ path: String) -> [UInt8]? {
        if let known = contents[path] { return known }
        let octets = readFile(path)
        contents[path] = .some(octets)
        return octets
    }

    /// By path.
    var all: [FollowedFile] {
        contents.map { FollowedFile(path: $0.key, octets: $0.value) }.sorted { $0.path < $1.path }
    }
}
