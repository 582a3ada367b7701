import Config
import Core
import TLS

/// `sluice.dev/fallback-gateway: PLACE[,PLACE…]` on a Gateway, for all that comes to its listeners, or on a Service, for what
/// is meant for its ports: where the central gateway of a group is reached. A place is an address or a host name, with a
/// port; behind `hbone://` it is called by mutual TLS.
struct FallbackGateway {
    static let annotation: StaticString = "sluice.dev/fallback-gateway"
    /// Who must answer there by HBONE, as a principal; without it, anybody of the resource's namespace.
    static let principalAnnotation: StaticString = "sluice.dev/fallback-principal"
    static let tunnelScheme = "hbone://"
    /// Places of one central gateway (``GuardProtocol/centralLimit``, which this room does not know).
    static let placeLimit = 16

    /// Without a port, the one that was called here.
    struct Place: Hashable {
        enum Host: Hashable {
            case ip(IPAddress)
            /// In lower case.
            case name(String)
        }
        var host: Host
        var port: UInt16?

        /// Whether who calls it comes to a socket that is bound there. What a name stands for is not known here.
        func isReached(at socket: SocketAddress) -> Bool {
            guard port == nil || port == socket.port, case .ip(let ip) = host else { return false }
            return ip == socket.ip || (socket.ip.isAny && (ip.isLoopback || ip.isAny))
        }
    }

    var places: [Place] = []
    /// By HBONE, each.
    private(set) var isTunnelled = false
    /// A SPIFFE id; nil: anybody of the namespace.
    private(set) var principal: String?
    /// Where it is written.
    private(set) var principalNode: WrittenNode
    let node: WrittenNode
    let namespace: String

    /// Nil when nothing is written, or nothing that can be used, which is told.
    init?(_ resource: LoadedResource, needsPort: Bool, findings: inout FindingLog) {
        guard let written = AnnotationText(Self.annotation, of: resource) else {
            if let lonely = AnnotationText(Self.principalAnnotation, of: resource) {
                findings.warning(
                    resource, lonely.node,
                    "it says nothing without \(Self.annotation) beside it, which says where; write both here")
            }
            return nil
        }
        node = written.node
        principalNode = written.node
        namespace = resource.name.namespace
        func refuse(_ message: String) { findings.unresolved(resource, written.node, message) }
        for (number, part) in written.text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let text = AnnotationText.trimmed(part)
            let isTunnelled = text.hasPrefix(Self.tunnelScheme)
            if number == 0 { self.isTunnelled = isTunnelled }
            guard isTunnelled == self.isTunnelled else {
                let (own, others) = isTunnelled ? ("by HBONE", "in clear text") : ("in clear text", "by HBONE")
                refuse(
                    "'\(text)' is called \(own), and others \(others); "
                        + "write \(Self.tunnelScheme) before each of them, or before none")
                return nil
            }
            switch Self.read(isTunnelled ? String(text.dropFirst(Self.tunnelScheme.count)) : text) {
            case .failure(let problem):
                refuse(
                    "'\(text)' is no address of a gateway: \(problem.message); write IP addresses or host names with their "
                        + "ports, such as '10.0.0.5:8080,central.example:8080'")
                return nil
            case .success(var place):
                if isTunnelled { place.port = place.port ?? TunnelPlan.usualPort }
                guard place.port != nil || !needsPort else {
                    refuse(
                        "'\(text)' has no port; a Service's central gateway is written with one, such as '\(text):8080'"
                    )
                    return nil
                }
                places.append(place)
            }
        }
        guard places.count <= Self.placeLimit else {
            refuse("\(places.count) addresses are more than the \(Self.placeLimit) that may be")
            return nil
        }
        guard readPrincipal(resource, &findings) else { return nil }
    }

    /// False: nobody could be it.
    private mutating func readPrincipal(_ resource: LoadedResource, _ findings: inout FindingLog) -> Bool {
        guard let written = AnnotationText(Self.principalAnnotation, of: resource) else { return true }
        guard isTunnelled else {
            findings.warning(
                resource, written.node,
                "it says nothing where \(Self.annotation) has no \(Self.tunnelScheme): "
                    + "in clear text nobody says who answers")
            return true
        }
        let text = AnnotationText.trimmed(written.text)
        let principal = text.hasPrefix("spiffe://") ? text : "spiffe://" + text
        guard let id = SPIFFEID(principal), !id.path.isEmpty else {
            findings.unresolved(
                resource, written.node,
                "'\(text)' is no principal; write one such as 'cluster.local/ns/shop/sa/gateway'. "
                    + "Nothing is handed on before")
            return false
        }
        self.principal = principal
        principalNode = written.node
        return true
    }

    /// Why nobody could be ``principal`` for a Gateway that believes certificates of this trust domain alone; nil: somebody
    /// could, or it calls in clear text.
    func stranger(to trustDomain: String) -> String? {
        guard isTunnelled, let principal, let id = SPIFFEID(principal), id.trustDomain != trustDomain else {
            return nil
        }
        let parts = principal.dropFirst("spiffe://".count).split(separator: "/")
        // `shop/central` is how callers are called elsewhere, and a trust domain with a path here.
        let meant =
            parts.count == 2
            ? "; write '\(trustDomain)/ns/\(parts[0])/sa/\(parts[1])' if \(parts[1]) of namespace \(parts[0]) is meant"
            : ""
        return "'\(principal)' is of trust domain '\(id.trustDomain)', and the Gateway believes nobody but those of "
            + "'\(trustDomain)'\(meant). Nothing is handed on before"
    }

    private struct Problem: Error {
        /// Completes "… is no address of a gateway: ".
        var message: String
    }

    private static func read(_ text: String) -> Result<Place, Problem> {
        if let full = SocketAddress(text), full.port > 0 { return .success(Place(host: .ip(full.ip), port: full.port)) }
        if let ip = IPAddress(text) { return .success(Place(host: .ip(ip), port: nil)) }
        guard !text.isEmpty else { return .failure(Problem(message: "nothing is written there")) }
        if text.contains(where: { $0 == ";" || $0 == " " || $0 == "\t" || $0.isNewline }) {
            return .failure(Problem(message: "addresses are separated by commas"))
        }
        guard !text.contains("://") else {
            return .failure(Problem(message: "'\(tunnelScheme)' is the only scheme there is"))
        }
        guard !text.contains("/") else { return .failure(Problem(message: "it has a path")) }
        var name = Substring(text)
        var port: UInt16?
        if let colon = text.lastIndex(of: ":") {
            name = text[..<colon]
            guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else {
                return .failure(Problem(message: "its port is none from 1 to 65535"))
            }
            port = number
        }
        if name.hasSuffix(".") { name.removeLast() }
        let host = name.lowercased()
        // What ends in a number is meant as an address by everybody who reads names (RFC 6943, section 3.1.1).
        let isNumber = host.split(separator: ".").last?.allSatisfy(\.isNumber) ?? false
        guard 1...253 ~= host.utf8.count, !isNumber, host.withView({ TextFormat.isSubdomain($0) }) else {
            return .failure(Problem(message: Self.nameProblem(host, isNumber: isNumber)))
        }
        return .success(Place(host: .name(host), port: port))
    }

    /// Why this is no host (RFC 1123, section 2.1).
    private static func nameProblem(_ host: String, isNumber: Bool) -> String {
        if host.isEmpty { return "there is no host in it" }
        if isNumber { return "it is neither an IP address nor a name" }
        if host.utf8.count > 253 { return "its name is longer than 253 letters" }
        if host.contains("_") { return "names have no underscores" }
        return "names are made of letters, digits, dashes and dots, with a letter or digit at both ends of each part"
    }

    /// As they are called from this port.
    func places(from port: UInt16) -> [CentralPlan] {
        places.map {
            switch $0.host {
            case .ip(let ip): .address(SocketAddress(ip: ip, port: $0.port ?? port))
            case .name(let name): .name(DNSNamePlan(name: name, port: $0.port ?? port))
            }
        }
    }

    /// How it is called through HBONE as this Gateway; nil: in clear text.
    func tunnel(from gateway: ResourceName, _ identity: WorkloadIdentity) -> TunnelPlan? {
        guard isTunnelled else { return nil }
        var tls = UpstreamTLSPlan(trust: .bundle(identity.authorities), serverName: "", hostname: "")
        tls.clientCertificate = identity.certificate.plan
        tls.trustDomain = identity.trustDomain
        tls.subjectAltNames = [
            SubjectAltNameMatchPlan(
                nameType: .uri, matchType: principal == nil ? .prefix : .exact,
                value: principal ?? "spiffe://\(identity.trustDomain)/ns/\(namespace)/sa/")
        ]
        var plan = TunnelPlan(tls: tls, port: 0)
        plan.isPerCall = true
        plan.baggage = HBONEBackend.baggage(of: gateway)
        return plan
    }
}

extension FallbackGateway.Place: CustomStringConvertible {
    var description: String {
        switch host {
        case .ip(let ip): port.map { SocketAddress(ip: ip, port: $0).description } ?? ip.description
        case .name(let name): port.map { "\(name):\($0)" } ?? name
        }
    }
}
