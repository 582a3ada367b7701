import Core

extension ManifestFile {
    /// The path of a record within the resource that it belongs to: `spec.rules[0].matches[1]`.
    func pathOfNode(_ index: Int) -> String {
        // The last resource that begins at or before the record.
        var low = 0
        var high = resourceRoots.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if resourceRoots[middle] <= index { low = middle } else { high = middle }
        }
        guard low < resourceRoots.count, resourceRoots[low] <= index else { return "" }
        return path(of: index, from: resourceRoots[low])
    }

    /// The way down from the record `root` to the record `index`, which is in its subtree.
    func path(of index: Int, from root: Int) -> String {
        var path = ""
        var at = root
        while at < index, records[at].isContainer {
            let isList = records[at].kind == .list
            var position = 0
            at += 1
            while at + records[at].span <= index {
                at += records[at].span
                position += 1
            }
            if isList {
                path += "[\(position)]"
            } else {
                path = Self.join(path, names.text(records[at].key).string)
            }
        }
        return path
    }

    /// Names that would read wrongly between dots stand in brackets: `metadata.labels[example.com/team]`.
    static func join(_ path: String, _ name: String) -> String {
        let isPlain = name.utf8.allSatisfy { ASCII.isAlpha($0) || ASCII.isDigit($0) || $0 == 0x2D || $0 == 0x5F }
        guard isPlain, !name.isEmpty else { return path + "[\(name)]" }
        return path.isEmpty ? name : path + "." + name
    }
}
