import Core

/// A certificate in use, as its operator wants to know it.
package struct CertificateFact: Equatable, Sendable {
    /// `namespace/name` of the Secret.
    package var name: String
    /// The DNS names that it is for.
    package var names: [String]
    /// Seconds since 1970.
    package var notAfter: Int64
    /// What is wrong with the pair that the Secret holds now, so that an earlier one is in use; nil: nothing.
    package var staleness: String?

    /// From this many days on `check` and the log warn.
    package static let warningDays: Int64 = 14
    private static let secondsADay: Int64 = 86_400

    /// Whole days left; below zero when it has expired.
    package func daysLeft(atSecond now: Int64) -> Int64 {
        let left = notAfter - now
        return left >= 0 ? left / Self.secondsADay : -((-left + Self.secondsADay - 1) / Self.secondsADay)
    }

    static func all(_ certificates: [ResourceName: ResolvedCertificate]) -> [CertificateFact] {
        certificates.map { CertificateFact($0.key, $0.value) }.sorted { $0.name < $1.name }
    }

    private init(_ secret: ResourceName, _ certificate: ResolvedCertificate) {
        name = secret.description
        names = certificate.names
        notAfter = certificate.plan.notAfter
        staleness = certificate.staleness
    }

    /// Warns of certificates that soon expire.
    static func tellExpiry(
        _ certificates: [ResourceName: ResolvedCertificate], _ index: ResourceIndex, atSecond now: Int64,
        findings: inout FindingLog
    ) {
        for (name, certificate) in certificates where certificate.staleness == nil {
            guard let number = index[.secret, name] else { continue }
            let days = CertificateFact(name, certificate).daysLeft(atSecond: now)
            guard days < warningDays else { continue }
            let when = days == 0 ? "today" : days == 1 ? "tomorrow" : "in \(days) days"
            let resource = index.resources[number]
            findings.warning(
                resource, resource.node[.metadata][.name], "the certificate expires \(when); renew it before then")
        }
    }
}
