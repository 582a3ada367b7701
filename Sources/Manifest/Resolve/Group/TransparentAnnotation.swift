import Config

/// `sluice.dev/transparent` of a group's Gateway: which of its listeners take connections that were meant for others.
///
/// `redirect` or `tproxy` stands for all listeners of protocol HTTP and TCP; `NAME=redirect,OTHER=tproxy` for those of these
/// names.
struct TransparentAnnotation {
    static let name: StaticString = "sluice.dev/transparent"
    private static let ways: [String: Interception] = ["redirect": .redirect, "tproxy": .tproxy]

    private var everywhere = Interception.none
    private var byListener: [String: Interception] = [:]

    /// - Parameter listeners: the Gateway's own and those of its ListenerSets.
    init(_ gateway: LoadedResource, listeners: [ListenerState], findings: inout FindingLog) {
        guard let written = AnnotationText(Self.name, of: gateway) else { return }
        func refuse(_ message: String) { findings.unresolved(gateway, written.node, message) }
        for entry in written.entries {
            guard let way = Self.ways[entry.value] else {
                refuse(
                    "'\(entry.value)' is no value of \(Self.name); redirect and tproxy are, for one listener as "
                        + "LISTENER=redirect")
                continue
            }
            guard let name = entry.rule else {
                everywhere = way
                continue
            }
            guard let listener = listeners.first(where: { $0.listener.name == name }) else {
                refuse("the Gateway has no listener '\(name)'")
                continue
            }
            guard Self.mayIntercept(listener) else {
                refuse(
                    "listener '\(name)' is of protocol \(listener.listener.protocolName); HTTP and TCP can be transparent"
                )
                continue
            }
            byListener[name] = way
        }
    }

    private static func mayIntercept(_ listener: ListenerState) -> Bool {
        listener.protocolKind == .http || listener.protocolKind == .tcp
    }

    /// How connections come to a listener that were meant for others.
    func interception(of listener: ListenerState) -> Interception {
        guard Self.mayIntercept(listener) else { return .none }
        return byListener[listener.listener.name] ?? everywhere
    }
}
