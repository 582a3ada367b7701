/// What is done with `%2F` and `%5C` in a path; the names are Envoy Gateway's (`ClientTrafficPolicy`,
/// `path.escapedSlashesAction`).
public enum EscapedSlashesAction: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case keepUnchanged, rejectRequest, unescapeAndForward, unescapeAndRedirect
}

/// Why a path is answered 400.
public enum PathRefusal: UInt8, Error, BitwiseCopyable, Sendable, CaseIterable {
    case notAbsolute, illegalOctet, malformedEscape, escapedNull, dotSegmentWithParameters, escapedSlash

    public var status: UInt16 { 400 }

    /// One line for the answer's body and the log.
    public var reason: StaticString {
        switch self {
        case .notAbsolute: "path does not begin with a slash"
        case .illegalOctet: "illegal octet in the path"
        case .malformedEscape: "malformed percent-encoding in the path"
        case .escapedNull: "percent-encoded NUL in the path"
        case .dotSegmentWithParameters: "dot segment with parameters in the path"
        case .escapedSlash: "percent-encoded slash in the path"
        }
    }
}

/// What became of a path.
public enum PathOutcome: Equatable, BitwiseCopyable, Sendable {
    /// It is normal already; the buffer holds nothing.
    case unchanged
    /// The buffer holds the path to match and forward.
    case rewritten
    /// The buffer holds the path to redirect to: slashes came out of escapes, and the client shall ask for what it gets.
    case redirect
    case refused(PathRefusal)
}
