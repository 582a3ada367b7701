import Connection
import Core

/// Calls of gRPC (its "gRPC over HTTP/2"): any method answers the messages that it was sent, once all are there, and the health
/// service (grpc.health.v1) says SERVING.
enum GRPCEcho {
    /// Octets of one request's messages together; what clients take by default.
    static let messageLimit = 4 << 20
    /// Octets before each message: whether it is compressed, and its length.
    private static let prefix = 5

    private enum Status: Int {
        case ok = 0
        case unimplemented = 12
        case `internal` = 13
    }

    static func answer(_ exchange: LocalExchange) {
        let path = exchange.path
        if path.equals("/grpc.health.v1.Health/Check") {
            // HealthCheckResponse: field 1, status, SERVING.
            return answer(exchange, [0, 0, 0, 0, 2, 0x08, 0x01])
        }
        if path.hasPrefix(ByteView("/grpc.health.v1.Health/")) {
            return refuse(exchange, .unimplemented, "of the health service only Check is there")
        }
        guard areWhole(exchange.body) else {
            return refuse(exchange, .internal, "the request is no sequence of whole messages")
        }
        answer(exchange, exchange.body)
    }

    private static func answer(_ exchange: LocalExchange, _ octets: [UInt8]) {
        var fields = ""
        for index in 0..<exchange.fieldCount {
            let (name, value) = exchange.field(at: index)
            // What was compressed goes back so.
            if name.equalsIgnoringCase("grpc-encoding") { fields = "grpc-encoding: \(value.string)\r\n" }
        }
        var body = ByteBuffer()
        octets.withView { body.append($0) }
        exchange.respond(
            status: 200, contentType: "application/grpc", fields: fields, body: body,
            trailers: "grpc-status: \(Status.ok.rawValue)\r\n")
    }

    /// A head that is the trailers too.
    private static func refuse(_ exchange: LocalExchange, _ status: Status, _ message: String) {
        exchange.respond(
            status: 200, contentType: "application/grpc",
            fields: "grpc-status: \(status.rawValue)\r\ngrpc-message: \(message)\r\n", body: ByteBuffer())
    }

    private static func areWhole(_ octets: [UInt8]) -> Bool {
        var rest = octets[...]
        while rest.count >= prefix {
            let length = rest.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
            guard rest.count - prefix >= length else { return false }
            rest = rest.dropFirst(prefix + length)
        }
        return rest.isEmpty
    }
}
