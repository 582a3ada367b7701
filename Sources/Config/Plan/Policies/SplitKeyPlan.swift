import Core

/// A split by a key of the request (`sluice.dev/split-key` on an HTTPRoute or GRPCRoute): who sends the same key is sent to
/// the same backendRef, whatever worker and however often it is reloaded.
public struct SplitKeyPlan: Equatable, Sendable {
    public enum Source: UInt8, BitwiseCopyable, Sendable {
        /// The value of a header; requests without it are split by weight alone.
        case header
        /// The value of a cookie, which is set where it is absent.
        case cookie
        /// The client's address.
        case clientAddress
    }

    public var source: Source
    /// Of the header or the cookie; else empty.
    public var name: String
    public var position: SourcePosition

    public init(source: Source, name: String = "", position: SourcePosition = SourcePosition()) {
        self.source = source
        self.name = name
        self.position = position
    }
}
