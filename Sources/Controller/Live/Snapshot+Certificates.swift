import Config
import Core

extension Snapshot {
    /// The pairs that listeners show to clients and clusters to backends, each Secret once.
    var certificates: [CertificatePlan] {
        var found: [String: CertificatePlan] = [:]
        let header = header.pointee
        func add(_ certificates: Table<CertificateConfig>) {
            for number in 0..<Int(certificates.count) {
                let record = self[certificates, number].pointee
                var plan = CertificatePlan(
                    name: text(record.name).string, chain: text(record.chain).string, key: text(record.key).string,
                    notAfter: record.notAfter)
                plan.ocspResponse = text(record.ocspResponse).array
                found[plan.name] = plan
            }
        }
        for number in 0..<Int(header.listeners.count) {
            let listener = self[header.listeners, number].pointee
            for place in 0..<Int(listener.tls.count) { add(self[listener.tls, place].pointee.certificates) }
        }
        for number in 0..<Int(header.clusters.count) {
            let cluster = self[header.clusters, number].pointee
            for place in 0..<Int(cluster.tls.count) { add(self[cluster.tls, place].pointee.clientCertificate) }
            for place in 0..<Int(cluster.tunnel.count) {
                add(self[self[cluster.tunnel, place].pointee.tls, 0].pointee.clientCertificate)
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }
}
