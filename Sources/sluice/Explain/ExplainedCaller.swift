import Config
import Core
import Manifest
import TLS

/// One `--from`.
enum CallerName {
    case identity(SPIFFEID)
    case address(IPAddress)
    case workload(namespace: String, name: String)
    case namespace(String)

    init(_ text: String) throws(UsageError) {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        if text.hasPrefix("spiffe://") || parts.count > 2 {
            // Policies write principals without the scheme.
            guard let id = SPIFFEID(text.hasPrefix("spiffe://") ? text : "spiffe://" + text) else {
                throw UsageError("--from '\(text)': write spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT")
            }
            self = .identity(id)
        } else if let address = IPAddress(bare) {
            self = .address(address)
        } else if parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty {
            self = .workload(namespace: String(parts[0]), name: String(parts[1]))
        } else if parts.count == 1, !text.isEmpty {
            self = .namespace(text)
        } else {
            throw UsageError("--from '\(text)': write NAMESPACE, NAMESPACE/NAME, an IP address or spiffe://…")
        }
    }
}

/// Who calls, as a worker would know it.
struct ExplainedCaller {
    /// Of a certificate, with its scheme; empty: none is shown.
    private(set) var principal = ""
    private(set) var namespace = ""
    private(set) var account = ""
    /// Nil: it was not given.
    private(set) var address: IPAddress?
    /// Somebody was given at all.
    let isGiven: Bool
    /// Who it is.
    private(set) var words = ""
    private(set) var notes: [String] = []

    var isVerified: Bool { !principal.isEmpty }

    init(_ names: [CallerName], _ plan: GatewayPlan) throws(UsageError) {
        isGiven = !names.isEmpty
        var others = 0
        for name in names {
            switch name {
            case .address(let address):
                guard self.address == nil else { throw UsageError("--from names two addresses; a caller has one") }
                self.address = address
            case .identity, .workload, .namespace: others += 1
            }
        }
        guard others <= 1 else { throw UsageError("--from names two callers; one may stand beside an address") }
        for name in names {
            switch name {
            case .identity(let id):
                principal = id.description
                namespace = id.workload?.namespace ?? ""
                account = id.workload?.serviceAccount ?? ""
            case .workload(let namespace, let name): take(namespace, name, plan)
            case .namespace(let namespace):
                self.namespace = namespace
                words = "somebody of namespace '\(namespace)', known by address"
                noteUnknown(namespace, plan)
            case .address: break
            }
        }
        if isVerified {
            words = "\(principal), by its certificate" + (address.map { ", at \($0)" } ?? "")
        } else if words.isEmpty {
            takeAddress(plan)
        } else if let address, !words.contains("\(address)") {
            words += ", at \(address)"
        }
        if !isVerified, isGiven { words += "; shows no certificate" }
    }

    /// Somebody of the files, who is known by the address that an EndpointSlice has.
    private mutating func take(_ namespace: String, _ name: String, _ plan: GatewayPlan) {
        self.namespace = namespace
        if address == nil { address = Self.address(of: namespace, name, plan) }
        guard let address else {
            words = "\(namespace)/\(name), somewhere in namespace '\(namespace)'"
            notes.append(
                "no EndpointSlice has an address of \(namespace)/\(name): its namespace alone is taken as known")
            noteUnknown(namespace, plan)
            return
        }
        words = "\(namespace)/\(name), known by its address \(address)"
        let example = "spiffe://cluster.local/ns/\(namespace)/sa/\(name)"
        notes.append("\(namespace)/\(name) is taken as known by address; --from \(example) asks for a certificate's")
    }

    /// A namespace that the files do not have may be another one, misspelt.
    private mutating func noteUnknown(_ namespace: String, _ plan: GatewayPlan) {
        var known = Set(plan.workloads.map(\.namespace) + plan.routes.map(\.namespace) + plan.groups.map(\.namespace))
        for group in plan.groups { known.formUnion(group.members.map(\.namespace)) }
        guard !known.contains(namespace) else { return }
        let near = NearestName.of(namespace, among: known.sorted()).map { "; did you mean '\($0)'?" }
        notes.append("no endpoint, service or route of the files is in namespace '\(namespace)'" + (near ?? ""))
    }

    /// A Pod's, or an endpoint's of a Service.
    private static func address(of namespace: String, _ name: String, _ plan: GatewayPlan) -> IPAddress? {
        let known = plan.workloads.first { $0.namespace == namespace && ($0.name == name || $0.service == name) }
        if let known { return known.address }
        // An address that several Services share has the name of one of them.
        let cluster = plan.clusters.first {
            $0.backend.hasPrefix("\(namespace)/\(name):") && !$0.endpoints.isEmpty
        }
        return cluster?.endpoints.first?.address.ip
    }

    private mutating func takeAddress(_ plan: GatewayPlan) {
        guard let address else {
            words = "not given (--from): somebody without a certificate, at an address that nobody knows"
            return
        }
        guard let workload = plan.workloads.first(where: { $0.address == address }) else {
            words = "\(address), an address that the files do not know"
            return
        }
        namespace = workload.namespace
        words = "\(address), which is \(workload.namespace)/\(workload.name)"
    }
}
