import Connection
import Core
import HTTP

/// A request of gRPC-Web: what its exchange has to know of it, and its bodies on their way. None other has one.
final class GRPCWebCall {
    let form: GRPCWeb
    /// The route is one of gRPC: its backends speak that, and no gRPC-Web.
    var isTranslated = false
    /// Nil: goes on as it came.
    private(set) var request: BodyTransformation?
    private(set) var response: BodyTransformation?

    init(_ form: GRPCWeb) { self.form = form }

    func translate() {
        isTranslated = true
        if form.isTextRequest { request = DecodedBody() }
    }

    func beginResponse() { response = FramedBody(form) }
}

/// `application/grpc-web-text` becomes `application/grpc-web`.
private final class DecodedBody: BodyTransformation {
    private var decoder = Base64Decoder()

    override func take(_ content: ByteView) -> Bool { decoder.decode(content, to: &output) }
    override func end(_ source: MessageStream) -> Bool { decoder.isAtBoundary }
}

/// The messages of a response, and its trailers behind them.
private final class FramedBody: BodyTransformation {
    private var body: GRPCWebResponseBody

    init(_ form: GRPCWeb) {
        body = GRPCWebResponseBody(isText: form.isTextResponse)
        super.init()
    }

    override func take(_ content: ByteView) -> Bool {
        body.take(content, to: &output)
        return true
    }

    override func end(_ source: MessageStream) -> Bool {
        var lines = ByteBuffer()
        source.takeTrailers(to: &lines)
        body.end(trailers: lines.view, to: &output)
        return true
    }
}
