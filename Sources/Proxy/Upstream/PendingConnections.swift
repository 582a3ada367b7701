import Config
import Connection

/// The connections that are being made to one endpoint, and who waits for each.
///
/// Limit: `waitersLimit` exchanges that wait for one connection of HTTP/2.
struct PendingConnections {
    /// As many as a connection of HTTP/2 carries at least, where its peer says nothing less (RFC 9113, section 6.5.2).
    static let waitersLimit = 100

    private struct Entry {
        let connector: Connector
        let wanted: BackendProtocol
        /// Others may join: it will be of HTTP/2, as far as is known.
        var isShared: Bool
        /// The connector's end is known: what happens to its permit is not this entry's to say any more.
        var isSettled = false
        var owners: [ConnectionOwner]
    }

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    mutating func add(
        _ connector: Connector, _ wanted: BackendProtocol, isShared: Bool, for owner: ConnectionOwner
    ) {
        entries.append(Entry(connector: connector, wanted: wanted, isShared: isShared, owners: [owner]))
    }

    /// Where others wait for a connection that will carry several streams; nil: nowhere.
    func placeToJoin(_ wanted: BackendProtocol) -> Int? {
        entries.firstIndex { $0.isShared && $0.wanted == wanted && $0.owners.count < Self.waitersLimit }
    }

    mutating func join(_ place: Int, _ owner: ConnectionOwner) { entries[place].owners.append(owner) }

    /// Nobody joins any of them any more.
    mutating func closeToOthers() {
        for place in entries.indices { entries[place].isShared = false }
    }

    /// `owner` waits no more.
    /// - Returns: the connector that nobody waits for now, which is not one of them any more.
    mutating func leave(_ owner: ConnectionOwner) -> Connector? {
        for place in entries.indices {
            guard let position = entries[place].owners.firstIndex(where: { $0 === owner }) else { continue }
            entries[place].owners.remove(at: position)
            guard entries[place].owners.isEmpty, !entries[place].isSettled else { return nil }
            return entries.remove(at: place).connector
        }
        return nil
    }

    /// What was expected to be spoken on it.
    func wanted(of connector: Connector) -> BackendProtocol? {
        entries.first { $0.connector === connector }?.wanted
    }

    /// The connector has come to its end: those who wait for it are told, see ``next(of:)``.
    mutating func settle(_ connector: Connector) {
        guard let place = place(of: connector) else { preconditionFailure("an unknown connector") }
        // Nobody joins it any more.
        entries[place].isShared = false
        entries[place].isSettled = true
    }

    /// Who has waited longest for a connector that is settled; nil: nobody is left, and it is not one of them any more.
    mutating func next(of connector: Connector) -> ConnectionOwner? {
        guard let place = place(of: connector) else { return nil }
        guard !entries[place].owners.isEmpty else {
            entries.remove(at: place)
            return nil
        }
        return entries[place].owners.removeFirst()
    }

    private func place(of connector: Connector) -> Int? { entries.firstIndex { $0.connector === connector } }
}
