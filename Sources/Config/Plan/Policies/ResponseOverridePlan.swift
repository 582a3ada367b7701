import Core

/// One entry of BackendTrafficPolicy `responseOverride`: which responses it takes, and what becomes of them. The first
/// entry that matches wins.
public struct ResponseOverridePlan: Equatable, Sendable {
    /// Who made the response.
    public enum Source: UInt8, BitwiseCopyable, Sendable { case all, local, backend }

    /// Both ends count.
    public struct StatusRange: Equatable, BitwiseCopyable, Sendable {
        public var first: UInt16
        public var last: UInt16

        public init(_ first: UInt16, _ last: UInt16) {
            self.first = first
            self.last = last
        }
    }

    public struct HeaderMatch: Equatable, Sendable {
        public enum Kind: UInt8, BitwiseCopyable, Sendable { case exact, prefix, suffix, regularExpression }
        public var name: String
        public var kind: Kind
        public var value: String

        public init(name: String, kind: Kind, value: String) {
            self.name = name
            self.kind = kind
            self.value = value
        }
    }

    public enum Action: Equatable, Sendable {
        case response(CustomResponsePlan)
        case redirect(RedirectPlan)
    }

    public var source: Source
    /// One of them must hold; empty: every status.
    public var statusCodes: [StatusRange]
    /// All of them must hold.
    public var responseHeaders: [HeaderMatch]
    public var action: Action
    public var position: SourcePosition

    public init(
        source: Source, statusCodes: [StatusRange], responseHeaders: [HeaderMatch], action: Action,
        position: SourcePosition = SourcePosition()
    ) {
        self.source = source
        self.statusCodes = statusCodes
        self.responseHeaders = responseHeaders
        self.action = action
        self.position = position
    }
}
