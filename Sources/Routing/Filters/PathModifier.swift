import Config
import Core

/// The new path of a URLRewrite or a RequestRedirect (HTTPPathModifier).
public enum PathModifier {
    /// Appends the path that the modifier makes of `path`; always one that begins with a slash.
    ///
    /// ReplacePrefixMatch replaces whole segments: a trailing slash of prefix or replacement does not double the one that
    /// follows, and an empty replacement leaves what followed the prefix, at least `/`.
    /// - Parameters:
    ///   - path: as it was matched, without query.
    ///   - matchedPrefixLength: ``RouteDecision/matchedPrefixLength``.
    public static func write(
        _ modifier: PathModifierConfig, in snapshot: Snapshot, path: ByteView, matchedPrefixLength: UInt32,
        to buffer: inout ByteBuffer
    ) {
        let value = snapshot.text(modifier.value)
        switch modifier.kind {
        case .none: writeRooted(path, to: &buffer)
        case .replaceFullPath: writeRooted(value, to: &buffer)
        case .replacePrefixMatch:
            let rest = path.from(min(Int(matchedPrefixLength), path.count))
            if rest.isEmpty {
                writeRooted(value, to: &buffer)
            } else {
                // The rest begins with a slash, since prefixes match whole segments.
                let prefix = value.withoutTrailingSlash
                if !prefix.isEmpty { writeRooted(prefix, to: &buffer) }
                buffer.append(rest)
            }
        case .replaceRegexMatch: preconditionFailure("a path that an expression rewrites is a PathRewrite's")
        }
    }

    private static func writeRooted(_ path: ByteView, to buffer: inout ByteBuffer) {
        if path.isEmpty || path[0] != ASCII.slash { buffer.append(byte: ASCII.slash) }
        buffer.append(path)
    }
}
