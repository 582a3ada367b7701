/// What a manifest may be, at most. Past a limit the file is malformed.
public enum ManifestLimits {
    /// Octets in one file.
    public static let fileSize = 16 * 1024 * 1024
    /// Objects and lists inside each other, the outermost counted.
    public static let nesting = 64
    /// Octets that aliases may add to one document: text as it is, and ``nodeOctets`` for each node.
    public static let aliasExpansion = fileSize
    static let nodeOctets = 16
    /// Findings told of one document: what follows is mostly an echo of what came before.
    public static let findingsPerDocument = 50
}
