import Config
import Core

extension DNSPlan {
    /// - Parameter dns: BackendTrafficPolicy `dns`; absent: what holds without a policy.
    init(_ dns: PolicyNode) {
        self.init()
        lookupFamily =
            switch dns[.lookupFamily].string {
            case "IPv4": .v4
            case "IPv6": .v6
            case "IPv4Preferred": .v4Preferred
            case "IPv6Preferred": .v6Preferred
            case "IPv4AndIPv6": .v4AndV6
            default: nil
            }
        dnsRefreshRate = dns[.dnsRefreshRate].string.flatMap { GatewayDuration.parse($0) }
        respectDnsTtl = dns[.respectDnsTtl].boolean ?? true
    }
}

/// Where a Backend or Service says that hosts and ports are those of SRV records (RFC 2782).
enum DNSService {
    static let annotation = "sluice.dev/dns-service"

    /// `_service._protocol`, or nil when none is written. What is written wrong is told and has no effect.
    static func read(_ resource: LoadedResource, findings: inout FindingLog) -> String? {
        let annotations = resource.node[.metadata][.annotations]
        guard let text = annotations.entry(annotation) else { return nil }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isWellFormed =
            labels.count == 2
            && labels.allSatisfy { label in
                label.utf8.first == UInt8(ascii: "_") && (2...63).contains(label.utf8.count)
                    && label.utf8.dropFirst().allSatisfy {
                        ASCII.isAlpha($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "-")
                    }
            }
        guard isWellFormed else {
            findings.unresolved(
                resource, annotations,
                "\(annotation) is '\(text)'; it would be a service and a protocol, such as '_http._tcp' (RFC 2782)")
            return nil
        }
        return text
    }
}
