import Manifest

/// The files that manifests name, as they were at one moment.
struct FileContents {
    private let octets: [String: [UInt8]]

    init(_ files: [FollowedFile]) {
        octets = Dictionary(files.compactMap { file in file.octets.map { (file.path, $0) } }) { first, _ in first }
    }

    /// Nil when the file could not be read.
    func read(_ path: String) -> [UInt8]? { octets[path] }
}
