import Connection
import Core
import HTTP
import IO

/// The admin interface: plain HTTP/1.1 on the inherited socket, answered from the controller's own memory.
final class AdminServer: LocalServer {
    /// Octets of a request's body that are read; the interface has no use for any.
    static let bodyLimit = 64 * 1024

    private unowned let controller: Controller
    /// Kept open as long as the server lives.
    private let socket: SharedFD

    init(controller: Controller, socket: SharedFD) {
        self.controller = controller
        self.socket = socket
        super.init(
            listener: socket.raw, resources: ConnectionResources(loop: controller.loop),
            bodies: .collected(limit: Self.bodyLimit))
    }

    override func respond(to exchange: LocalExchange) {
        let request = AdminRequest(
            method: exchange.method.string, path: exchange.path.string, host: exchange.field(.host)?.string,
            origin: exchange.field(.origin)?.string)
        let isText = exchange.prefersText
        switch AdminRouter.route(request, listening: controller.options.admin) {
        case .page(let page): answer(page, exchange)
        case .refused(let refusal): answer(refusal, exchange)
        case .reload:
            controller.reload(.request) { outcome in
                let status: UInt16 = outcome.isApplied ? 200 : 422
                if isText {
                    exchange.respond(status: status, fields: AdminRouter.fields, text: AdminText.outcome(outcome))
                } else {
                    exchange.respond(
                        status: status, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                        body: AdminJSON.outcome(outcome))
                }
            }
        case .drain:
            controller.drain()
            json(exchange, status: 202) { $0.field("draining", true) }
        }
    }

    private func answer(_ refusal: AdminRefusal, _ exchange: LocalExchange) {
        json(exchange, status: refusal.status, fields: refusal.allow.map { "allow: \($0)\r\n" } ?? "") {
            $0.field("error", refusal.message)
        }
    }

    private func answer(_ page: AdminPage, _ exchange: LocalExchange) {
        switch page {
        case .status:
            exchange.respond(
                status: 200, contentType: "text/html; charset=utf-8",
                fields: AdminRouter.fields + StatusPage.securityPolicy, body: StatusPage.write(controller))
        case .healthz:
            exchange.respond(status: 200, fields: AdminRouter.fields, text: "ok\n")
        case .readyz:
            let reason = controller.unreadiness
            exchange.respond(
                status: reason == nil ? 200 : 503, fields: AdminRouter.fields, text: (reason ?? "ready") + "\n")
        case .metrics:
            exchange.respond(
                status: 200, contentType: MetricsPage.contentType, fields: AdminRouter.fields,
                body: MetricsPage.write(controller))
        case .resources:
            exchange.respond(
                status: 200, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                body: AdminJSON.resources(controller))
        case .config:
            exchange.respond(
                status: 200, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                body: AdminJSON.config(controller))
        case .backends:
            exchange.respond(
                status: 200, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                body: AdminJSON.backends(controller))
        case .rollouts:
            exchange.respond(
                status: 200, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                body: AdminJSON.rollouts(controller))
        case .flows:
            exchange.respond(
                status: 200, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                body: AdminJSON.flows(controller))
        case .statusJSON where exchange.prefersText:
            exchange.respond(status: 200, fields: AdminRouter.fields, text: AdminText.status(controller))
        case .statusJSON:
            exchange.respond(
                status: 200, contentType: AdminJSON.contentType, fields: AdminRouter.fields,
                body: AdminJSON.status(controller))
        }
    }

    private func json(
        _ exchange: LocalExchange, status: UInt16, fields: String = "", _ write: (inout JSONWriter) -> Void
    ) {
        var json = JSONWriter()
        json.beginObject()
        write(&json)
        json.endObject()
        exchange.respond(
            status: status, contentType: AdminJSON.contentType, fields: AdminRouter.fields + fields,
            body: AdminJSON.end(json))
    }
}

extension LocalExchange {
    /// The commands print what they get, and ask for plain text alone; everybody else gets JSON.
    fileprivate var prefersText: Bool { field(.accept)?.equalsIgnoringCase("text/plain") ?? false }
}
