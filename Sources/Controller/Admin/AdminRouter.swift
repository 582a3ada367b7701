import Core
import IO

/// What the router needs of a request.
struct AdminRequest: Equatable {
    var method: String
    var path: String
    var host: String?
    var origin: String?
}

/// What can be read.
enum AdminPage: Equatable, CaseIterable {
    case status, healthz, readyz, metrics, resources, config, backends, rollouts, flows, statusJSON

    var path: String {
        switch self {
        case .status: "/"
        case .healthz: "/healthz"
        case .readyz: "/readyz"
        case .metrics: "/metrics"
        case .resources: "/api/resources"
        case .config: "/api/config"
        case .backends: "/api/backends"
        case .rollouts: "/api/rollouts"
        case .flows: "/api/flows"
        case .statusJSON: "/api/status"
        }
    }
}

struct AdminRefusal: Equatable {
    var status: UInt16
    var message: String
    /// For 405: the methods there are.
    var allow: String?
}

/// Which page a request is for, and whether it may have it. Pure.
///
/// The interface has no passwords: who reaches the socket may use it. A browser reaches it on behalf of any page it shows,
/// so two things are refused. A Host that is neither an address nor `localhost` is a foreign name that was pointed here
/// (DNS rebinding); and a request that changes something with an Origin other than its own Host comes from a foreign page.
enum AdminRouter {
    enum Decision: Equatable {
        case page(AdminPage)
        case reload
        case drain
        case refused(AdminRefusal)
    }

    /// Field lines of every answer.
    static let fields = "cache-control: no-store\r\nx-content-type-options: nosniff\r\n"

    private static let actions: [String: Decision] = ["/api/reload": .reload, "/api/drain": .drain]

    static func route(_ request: AdminRequest, listening: AdminAddress) -> Decision {
        if let host = request.host, !isOwn(host: host, listening) {
            return .refused(
                AdminRefusal(
                    status: 403,
                    message: "the Host '\(host)' is not this interface; use its address, or localhost"))
        }
        if let page = AdminPage.allCases.first(where: { $0.path == request.path }) {
            guard request.method == "GET" || request.method == "HEAD" else { return notAllowed("GET, HEAD") }
            return .page(page)
        }
        if let action = actions[request.path] {
            guard request.method == "POST" else { return notAllowed("POST") }
            if let origin = request.origin, !isSame(origin: origin, host: request.host) {
                return .refused(
                    AdminRefusal(status: 403, message: "the Origin '\(origin)' is another site than this interface"))
            }
            return action
        }
        return .refused(AdminRefusal(status: 404, message: "there is no '\(request.path)' here"))
    }

    private static func notAllowed(_ allow: String) -> Decision {
        .refused(AdminRefusal(status: 405, message: "this path takes \(allow)", allow: allow))
    }

    private static func isOwn(host: String, _ listening: AdminAddress) -> Bool {
        // Nothing but local programs can reach a path in the file system.
        if case .unix = listening { return true }
        let name = nameOnly(host)
        if name.isEmpty || name.lowercased() == "localhost" { return true }
        let bare = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
        return IPAddress(bare) != nil
    }

    private static func nameOnly(_ host: String) -> String {
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return host }
            return String(host[...end])
        }
        guard let colon = host.lastIndex(of: ":") else { return host }
        return String(host[..<colon])
    }

    private static func isSame(origin: String, host: String?) -> Bool {
        guard let host else { return false }
        return origin.lowercased() == "http://" + host.lowercased()
    }
}
