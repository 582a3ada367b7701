import Core

/// A response that the gateway makes as a manifest says (HTTPRouteFilter `directResponse`, BackendTrafficPolicy
/// `responseOverride[].response`).
public struct CustomResponsePlan: Equatable, Sendable {
    /// Octets of a body: those of a whole ConfigMap.
    public static let bodyLimit = 1024 * 1024

    /// Nil: of a direct response 200; of an override the status of what is overridden.
    public var statusCode: UInt16?
    /// Empty: `text/plain` where there is a body.
    public var contentType: String
    /// In order; empty: no body.
    public var body: [BodyPart]
    /// `set` and `add`.
    public var headers: [HeaderEditPlan]

    /// Text as it stands, or what is known only when a request is there.
    public enum BodyPart: Equatable, Sendable {
        case text(String)
        case value(CommandOperator)
    }

    public init(
        statusCode: UInt16?, contentType: String = "", body: [BodyPart] = [], headers: [HeaderEditPlan] = []
    ) {
        self.statusCode = statusCode
        self.contentType = contentType
        self.body = body
        self.headers = headers
    }
}

/// A command operator of Envoy's (`%NAME(ARGUMENT):LENGTH%`) in a body.
public struct CommandOperator: Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// A field of the request, or the one named behind `?` when there is none: `%REQ(X?Y)%`.
        case requestField
        case responseCode, requestID, `protocol`, method, host, path, clientAddress, clientAddressAndPort, routeName
        case responseFlags
    }
    public var kind: Kind
    /// The field's name, and its substitute's.
    public var name: String
    public var alternative: String
    /// Octets at most; 0: all.
    public var length: UInt32

    public init(_ kind: Kind, name: String = "", alternative: String = "", length: UInt32 = 0) {
        self.kind = kind
        self.name = name
        self.alternative = alternative
        self.length = length
    }
}
