import Config
import Connection
import Core
import IO

/// Probes by TCP: a connection, perhaps some octets to it, and perhaps some that must come back.
extension Probe {
    func beginTCP(_ connector: Connector) {
        guard case .tcp(let send, let receive) = target.plan.probe else { preconditionFailure("no probe by TCP") }
        if send.isEmpty, receive.isEmpty {
            connector.cancel()
            return end(.passed, "connected")
        }
        connection = RawConnection(connector, owner: self, resources: resources)
        send.withView { unsent.append($0) }
        advanceTCP()
    }

    func advanceTCP() {
        guard let connection, case .tcp(_, let receive) = target.plan.probe else { return }
        guard sendRest(on: connection) else { return end(.failed, "the endpoint takes no octets") }
        if receive.isEmpty {
            if unsent.isEmpty { end(.passed, "connected, and octets sent") }
            return
        }
        var input = ByteBuffer(capacity: HealthCheckLimits.responseBody)
        while connection.mayRead {
            input.clear()
            input.reserve(HealthCheckLimits.responseBody)
            switch connection.receive(into: &input) {
            case .octets:
                received += input.view.upTo(min(input.count, HealthCheckLimits.responseBody - received.count)).array
                if received.contains(octets: receive) { return end(.passed, "the octets that are expected came") }
                if received.count == HealthCheckLimits.responseBody {
                    return end(.refused, "other octets than those that are expected came")
                }
            case .wouldBlock: return
            case .endOfFile: return end(.failed, "the endpoint closed before the octets that are expected")
            case .failed(let error): return end(.failed, "\(error)")
            }
        }
    }

    /// Sends what waits, as far as the connection takes it. False: it takes none any more.
    func sendRest(on connection: RawConnection) -> Bool {
        while !unsent.isEmpty {
            switch connection.send(unsent.view) {
            case .octets(let count): unsent.consume(count)
            case .wouldBlock: break
            case .endOfFile, .failed: return false
            }
            if !connection.mayWrite { break }
        }
        _ = connection.flush()
        return true
    }
}
