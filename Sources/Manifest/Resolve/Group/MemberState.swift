import Config
import Core

/// One Service of a group while a set is resolved: its ports, and the routes that come to them.
final class MemberState {
    /// A port of protocol TCP; datagrams go through no group's gateway.
    struct Port {
        var written: Service.Port
        var declaration: PortDeclaration
        /// Of everybody, then of callers of other namespaces.
        var routes = Routes()
        var consumers: [String: Routes] = [:]
        /// What stands for the Service itself; see ``RouteResolution/makeDirectRoutes(findings:)``.
        var direct = Routes()

        init(_ written: Service.Port) {
            self.written = written
            declaration = PortDeclaration(written)
        }
    }
    /// Numbers of route plans in order of precedence.
    struct Routes {
        var requests: [Int] = []
        var connections: [Int] = []

        var isEmpty: Bool { requests.isEmpty && connections.isEmpty }

        mutating func add(_ plan: Int, _ kind: RouteKind) {
            // One route may name a Service twice, with its port and without.
            if kind.hasMatches {
                if requests.last != plan { requests.append(plan) }
            } else if connections.last != plan {
                connections.append(plan)
            }
        }
    }

    let resource: LoadedResource
    let service: Service
    let gateway: GatewayState
    /// Index among the groups.
    let group: Int
    var ports: [Port]
    /// What it has of what is short.
    var fairShare = FairSharePlan()

    var name: ResourceName { resource.name }

    init(_ resource: LoadedResource, _ service: Service, gateway: GatewayState, group: Int) {
        self.resource = resource
        self.service = service
        self.gateway = gateway
        self.group = group
        ports = service.ports.filter { $0.protocolName == "TCP" }.map { Port($0) }
    }

    /// `spec.clusterIP` and `spec.clusterIPs`; none of a headless Service.
    var addresses: [IPAddress] {
        let spec = resource.node[.spec]
        var found: [IPAddress] = []
        var written: [WrittenNode] = [spec[.clusterIP]]
        for item in spec[.clusterIPs].items { written.append(item) }
        for node in written {
            if let address = IPAddress(node.text), !address.isAny, !found.contains(address) { found.append(address) }
        }
        return found
    }

    /// Why routes cannot have it as their parent; nil: they can (GEP-1294, "Allowed service types").
    var refusalAsParent: String? {
        if service.isExternalName {
            return
                "Service '\(name)' is of type ExternalName, which has no endpoints of its own that routes could stand for"
        }
        if resource.node[.spec][.clusterIP].text.equals("None") {
            return "Service '\(name)' is headless: its callers choose an endpoint themselves, so no route comes between"
        }
        return nil
    }

    /// The ports that a parentRef means: all of them unless it names one.
    func selected(sectionName: String?, port: UInt16?) -> [Int] {
        ports.indices.filter {
            (sectionName == nil || ports[$0].written.name == sectionName)
                && (port == nil || ports[$0].written.number == port)
        }
    }

    /// Its ports, as a message lists them.
    var portList: String {
        StatusMessage.list(
            ports.map { $0.written.name.isEmpty ? "\($0.written.number)" : "\($0.written.number) '\($0.written.name)'" }
        )
    }
}

extension FieldKey {
    static let clusterIP = FieldKey("clusterIP")
    static let clusterIPs = FieldKey("clusterIPs")
}
