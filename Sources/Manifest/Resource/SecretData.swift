import Core

/// One value of a Secret or ConfigMap: under a key, or in a file that an annotation names instead.
struct SecretData {
    struct Problem: Error {
        var message: String
        /// The annotation that is to blame; nil: none is.
        var node: WrittenNode?
    }

    let node: WrittenNode
    let files: FollowedFiles

    /// The octets under `key`, or of the file that `annotation` names, which counts instead.
    /// - Returns: nil when neither is written.
    func value(_ key: String, annotation: String) -> Result<[UInt8], Problem>? {
        for (name, value) in node[.metadata][.annotations].fields where name.string == annotation {
            guard let written = value.string else { break }
            let path = ReferencedFile.path(written, besides: node.file.path)
            guard let octets = files.read(path) else {
                let why = files.problem(path).map { ": \($0)" } ?? ""
                return .failure(
                    Problem(message: "'\(path)', which \(annotation) names, cannot be read\(why)", node: value))
            }
            return .success(octets)
        }
        return value(key)
    }

    /// The octets under `key` of a Secret; nil when there is no such key. `stringData` wins over `data`, as an API server
    /// merges them.
    func value(_ key: String) -> Result<[UInt8], Problem>? {
        if let plain = node[.stringData].entry(key) { return .success(Array(plain.utf8)) }
        guard let encoded = node[.data].entry(key) else { return nil }
        guard let octets = encoded.withView({ Base64.decode($0) }) else {
            return .failure(Problem(message: "'\(key)' is not base64"))
        }
        return .success(octets)
    }
}
