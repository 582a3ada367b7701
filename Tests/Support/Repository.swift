/// The clone that the tests were built from.
public enum Repository {
    public static let root: String = {
        // This file is ROOT/Tests/Support/Repository.swift.
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// The content of a file, by its path from the root; empty: there is none.
    public static func text(_ path: String) -> String { TemporaryFolder.text(root + "/" + path) }
}
