/// HTTPS listeners that could answer for each other: a client may reuse a connection for every name of its certificate, so
/// listeners of one port whose names overlap can get each other's requests (Gateway API, OverlappingTLSConfig).
enum ListenerOverlap {
    static func mark(_ gateways: [GatewayState]) {
        for gateway in gateways {
            var byPort: [UInt16: [ListenerState]] = [:]
            for group in gateway.groups where group.detachment == nil {
                for listener in group.listeners where listener.protocolKind == .https {
                    byPort[listener.listener.port, default: []].append(listener)
                }
            }
            for listeners in byPort.values where listeners.count > 1 { mark(listeners) }
        }
    }

    private static func mark(_ listeners: [ListenerState]) {
        let byCertificate = partners(listeners.map { $0.certificates.flatMap(\.alternativeNames) })
        let byHostname = partners(listeners.map { [$0.listener.hostname] })
        for (number, listener) in listeners.enumerated() {
            if let other = byCertificate[number] {
                listener.overlap = (
                    .overlappingCertificates,
                    "Its certificates share names with those of listener '\(listeners[other].listener.name)'"
                )
            } else if let other = byHostname[number] {
                listener.overlap = (
                    .overlappingHostnames,
                    "Its hostname overlaps with that of listener '\(listeners[other].listener.name)'"
                )
            }
        }
    }

    /// For each list of names another list of which some name overlaps; nil: there is none. The time is linear in the
    /// names' labels, since thousands of listeners may share a port.
    static func partners(_ lists: [[String]]) -> [Int?] {
        var owners: [String: [Int]] = [:]
        for (number, names) in lists.enumerated() {
            // Two owners are enough: whoever else has the name overlaps with the first.
            for name in names where (owners[name]?.count ?? 0) < 2 && owners[name]?.last != number {
                owners[name, default: []].append(number)
            }
        }
        var partners = [Int?](repeating: nil, count: lists.count)
        func pair(_ a: Int, _ b: Int) {
            guard a != b else { return }
            partners[a] = partners[a] ?? b
            partners[b] = partners[b] ?? a
        }
        for (number, names) in lists.enumerated() {
            for name in names {
                for covering in Hostname.covering(name) {
                    for other in owners[covering] ?? [] { pair(number, other) }
                }
            }
        }
        return partners
    }
}
