import Config
import Connection
import Core
import Telemetry

/// Where a connection below HTTP, or a session of datagrams, goes: decided when it begins. Nothing of it points into the
/// snapshot, which may be replaced many times while the connection lasts.
struct RelayChoice {
    /// What is relayed, as the access log's scheme.
    enum Kind { case tcp, tls, udp }

    let kind: Kind
    /// The backend's cluster; `BackendConfig.invalid`: the share of an invalid backend, or no rule at all.
    let cluster: UInt32
    let routeSlot: UInt32
    // Copies, for the record; empty when nobody logs.
    private var route: [UInt8] = []
    private var rule: [UInt8] = []
    private var backend: [UInt8] = []
    private var serverName: [UInt8] = []
    /// What policies had to say of it.
    var words = RelayWords()

    /// Nothing leads from here anywhere.
    init(_ kind: Kind, serverName: ByteView) {
        self.kind = kind
        cluster = BackendConfig.invalid
        routeSlot = 0
        self.serverName = serverName.array
    }

    /// A turn of the rule's backends.
    init(
        _ kind: Kind, _ rule: UnsafePointer<RuleConfig>, _ chosen: UnsafePointer<BackendConfig>?, serverName: ByteView,
        in snapshot: Snapshot, isLogged: Bool
    ) {
        self.kind = kind
        cluster = chosen?.pointee.cluster ?? BackendConfig.invalid
        routeSlot = rule.pointee.routeSlot
        guard isLogged else { return }
        let route = snapshot[snapshot.header.pointee.routes, Int(rule.pointee.route)]
        self.route = snapshot.text(route.pointee.qualifiedName).array
        self.rule = snapshot.text(rule.pointee.name).array
        if let chosen { backend = snapshot.text(chosen.pointee.name).array }
        self.serverName = serverName.array
    }

    /// Its backend is whichever host the connection names (Backend of type DynamicResolver).
    func leadsToNamedHost(in snapshot: Snapshot) -> Bool {
        cluster != BackendConfig.invalid
            && !snapshot[snapshot.header.pointee.clusters, Int(cluster)].pointee.dynamicResolver.isEmpty
    }

    /// Completes the record of a connection that went this way, and appends it.
    func write(_ record: consuming AccessRecord, _ origin: ConnectionOrigin, to log: AccessLog) {
        var record = record
        record.isHTTP = false
        switch kind {
        case .tcp: record.scheme = ByteView("tcp")
        case .tls: record.scheme = ByteView("tls")
        case .udp: record.scheme = ByteView("udp")
        }
        record.peer = origin.peer
        route.withView { route in
            rule.withView { rule in
                backend.withView { backend in
                    serverName.withView { name in
                        record.route = route
                        record.rule = rule
                        record.backend = backend
                        record.host = name
                        Self.append(record, words, to: log)
                    }
                }
            }
        }
    }

    /// Unless the record says more itself, it says what the policies said.
    private static func append(_ record: AccessRecord, _ words: RelayWords, to log: AccessLog) {
        if words.detail.isEmpty { return log.append(record) }
        words.detail.withView { detail in
            words.audits.withView { audits in
                var record = record
                if record.detail.isEmpty { record.detail = detail }
                record.audits = audits
                log.append(record)
            }
        }
    }
}
