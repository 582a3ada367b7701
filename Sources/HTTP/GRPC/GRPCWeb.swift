import Core

/// A call of gRPC as browsers make it, in the two forms of the protocol gRPC-Web: `application/grpc-web`, whose messages are
/// gRPC's own, and `application/grpc-web-text`, which is all of that in base64. Either way the trailers, which a browser
/// does not show to a page, are the body's last frame.
public struct GRPCWeb: BitwiseCopyable, Sendable {
    /// The request's body is base64.
    public let isTextRequest: Bool
    /// The response's is to be: what `Accept` asks for, else as the request.
    public let isTextResponse: Bool

    /// Nil: the request is none of gRPC-Web.
    public init?(_ fields: borrowing FieldTable, _ head: ByteView) {
        guard let line = fields.first(.contentType), let (isText, _) = Self.split(line.value(in: head)) else {
            return nil
        }
        isTextRequest = isText
        var accepted: Bool?
        if let accept = fields.first(.accept) {
            var elements = ListElements(accept.value(in: head))
            while accepted == nil, let element = elements.next() { accepted = Self.split(element)?.isText }
        }
        isTextResponse = accepted ?? isText
    }

    /// The form that a content type names, and what stands behind it: the messages' format, parameters.
    private static func split(_ value: ByteView) -> (isText: Bool, rest: ByteView)? {
        guard let rest = rest(of: value, behind: "application/grpc-web") else { return nil }
        if let behindText = Self.rest(of: rest, behind: "-text") { return ends(behindText) ? (true, behindText) : nil }
        return ends(rest) ? (false, rest) : nil
    }

    private static func rest(of value: ByteView, behind text: StaticString) -> ByteView? {
        let prefix = ByteView(text)
        guard value.count >= prefix.count, value.upTo(prefix.count).equalsIgnoringCase(prefix) else { return nil }
        return value.from(prefix.count)
    }

    /// Whether the name before `rest` ends there.
    private static func ends(_ rest: ByteView) -> Bool {
        rest.isEmpty || rest[0] == UInt8(ascii: "+") || rest[0] == ASCII.semicolon || ASCII.isBlank(rest[0])
    }

    // MARK: heads

    /// The request's content type, as gRPC says it: `application/grpc`, with the format of the messages.
    /// - Parameter value: the content type of a request that is one of gRPC-Web.
    public static func writeRequestType(_ value: ByteView, to out: inout ByteBuffer) {
        out.append("Content-Type: application/grpc")
        if let (_, rest) = split(value) { out.append(rest) }
        out.append("\r\n")
    }

    /// Whether a response is one of gRPC, so that there is something to translate.
    public static func translates(_ fields: borrowing FieldTable, _ head: ByteView) -> Bool {
        GRPCStatus.isGRPC(fields, head)
    }

    /// The response's content type in the form that the client understands; a format that was not named is `proto`.
    /// - Parameter value: the content type of a response that ``translates(_:_:)``.
    public func writeResponseType(_ value: ByteView, to out: inout ByteBuffer) {
        out.append("Content-Type: ")
        writeType(to: &out)
        let rest = Self.rest(of: value, behind: "application/grpc") ?? .empty
        if rest.isEmpty || rest[0] != UInt8(ascii: "+") { out.append("+proto") }
        out.append(rest)
        out.append("\r\n")
    }

    /// Without the format of the messages.
    func writeType(to out: inout ByteBuffer) {
        out.append("application/grpc-web")
        if isTextResponse { out.append("-text") }
    }
}
