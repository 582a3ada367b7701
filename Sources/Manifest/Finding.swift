import Core

/// Which resource a finding is about, as far as it could be read.
public struct ResourceIdentity: Hashable, Sendable {
    public var apiVersion: String
    public var kind: String
    /// Empty for kinds that stand in no namespace.
    public var namespace: String
    public var name: String

    public init(apiVersion: String, kind: String, namespace: String, name: String) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }
}

/// Something about the manifests that their author should know.
public struct Finding: Hashable, Sendable {
    public enum Kind: Sendable {
        /// An API server would refuse it: the whole set is rejected.
        case malformed
        /// It loads, and does not do what it says (a Service that does not exist).
        case unresolved
        /// It loads and works; something in it is left alone.
        case warning
    }

    public var kind: Kind
    /// Where: 1:1 when it is about the whole file.
    public var location: SourceLocation
    /// Nil when it is about a file, not a resource.
    public var resource: ResourceIdentity?
    /// `spec.rules[0].matches[0].path`; empty when it is about the resource or the file.
    public var path: String
    /// What is wrong, and what would be right.
    public var message: String

    public init(
        _ kind: Kind, at location: SourceLocation, resource: ResourceIdentity? = nil, path: String = "",
        _ message: String
    ) {
        self.kind = kind
        self.location = location
        self.resource = resource
        self.path = path
        self.message = message
    }

    public var isError: Bool { kind != .warning }

    /// Appends `FILE:LINE:COLUMN: error: path: message` as one line, without its end: control characters that a user's
    /// text brought along become spaces.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(string: "\(location.file):\(location.line):\(location.column): ")
        buffer.append(isError ? "error: " : "warning: ")
        let text = path.isEmpty ? message : "\(path): \(message)"
        text.withView { view in
            for index in view.indices { buffer.append(byte: view[index] < 0x20 ? ASCII.space : view[index]) }
        }
    }

    /// The finding as `check -o json` shows it.
    public func write(to json: inout JSONWriter) {
        json.beginObject()
        switch kind {
        case .malformed: json.field("kind", "malformed")
        case .unresolved: json.field("kind", "unresolved")
        case .warning: json.field("kind", "warning")
        }
        json.field("severity", isError ? "error" : "warning")
        json.field("file", location.file)
        json.field("line", location.line)
        json.field("column", location.column)
        if let resource {
            json.key("resource")
            json.beginObject()
            json.field("apiVersion", resource.apiVersion)
            json.field("kind", resource.kind)
            json.key("metadata")
            json.beginObject()
            if !resource.namespace.isEmpty { json.field("namespace", resource.namespace) }
            json.field("name", resource.name)
            json.endObject()
            json.endObject()
        }
        json.field("path", path)
        json.field("message", message)
        json.endObject()
    }
}

extension Finding: CustomStringConvertible {
    public var description: String {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer.view.string
    }
}
