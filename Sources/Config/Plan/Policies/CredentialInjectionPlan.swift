import Core

/// HTTPRouteFilter `credentialInjection`: a field that the request lacks, from a Secret. The value is never shown: not in logs,
/// not by `explain`.
public struct CredentialInjectionPlan: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    public static let defaultHeader = "Authorization"

    public var header: String
    public var value: String
    /// Also where the client sent one.
    public var overwrite: Bool

    public init(header: String, value: String, overwrite: Bool) {
        self.header = header
        self.value = value
        self.overwrite = overwrite
    }

    public var description: String { "credential for \(header)" }
    public var customMirror: Mirror { Mirror(self, children: ["header": header]) }
}
