import Config

/// BackendTLSPolicy: how Services are reached by TLS, and whom to trust there.
struct BackendTLSPolicy {
    struct Target: Hashable {
        var group: String
        var kind: String
        var name: String
        /// A port's name; nil: the whole Service.
        var sectionName: String?
    }
    var targets: [(target: Target, node: WrittenNode)] = []
    var authorities: [ObjectReference] = []
    /// `wellKnownCACertificates`.
    var wellKnown: String?
    var hostname: String
    var subjectAltNames: [SubjectAltNameMatchPlan] = []
    var node: WrittenNode

    init(_ node: WrittenNode) {
        let spec = node[.spec]
        let validation = spec[.validation]
        self.node = node
        hostname = validation[.hostname].string ?? ""
        wellKnown = validation[.wellKnownCACertificates].string
        for item in spec[.targetRefs].items {
            targets.append(
                (
                    Target(
                        group: item[.group].string ?? "", kind: item[.kind].string ?? "",
                        name: item[.name].string ?? "", sectionName: item[.sectionName].string), item
                ))
        }
        for item in validation[.caCertificateRefs].items {
            authorities.append(ObjectReference(item, defaultKind: "ConfigMap"))
        }
        for item in validation[.subjectAltNames].items {
            let isURI = item[.type].string == "URI"
            subjectAltNames.append(
                SubjectAltNameMatchPlan(
                    nameType: isURI ? .uri : .dns, matchType: .exact,
                    value: item[isURI ? .uri : .hostname].string ?? ""))
        }
    }
}
