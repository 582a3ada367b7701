import Config
import Connection
import Core
import IO

/// Probes of a central gateway by HBONE: mutual TLS, and the beginning of HTTP/2 inside.
///
/// The handshake alone tells who it is, and not whether it believes us: in TLS 1.3 a client's is over before the server has
/// looked at the client's certificate (RFC 8446, section 2). So its first frame is waited for, which is SETTINGS
/// (RFC 9113, section 3.4).
extension Probe {
    /// Our own preface with empty SETTINGS, for servers that say nothing before.
    private static let preface: StaticString =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u{0}\u{0}\u{0}\u{4}\u{0}\u{0}\u{0}\u{0}\u{0}"
    /// RFC 9113, section 4.1.
    private static let frameHead = 9
    private static let settings: UInt8 = 4

    func beginGateway(_ connector: Connector) {
        connection = RawConnection(connector, owner: self, resources: resources)
        unsent.append(Self.preface)
        advanceGateway()
    }

    func advanceGateway() {
        guard let connection else { return }
        // What it takes no octets for is read below.
        _ = sendRest(on: connection)
        var input = ByteBuffer(capacity: HealthCheckLimits.responseBody)
        while connection.mayRead {
            input.clear()
            input.reserve(HealthCheckLimits.responseBody)
            switch connection.receive(into: &input) {
            case .octets:
                received += input.view.upTo(min(input.count, Self.frameHead - received.count)).array
                guard received.count == Self.frameHead else { continue }
                // Length (three octets), type, flags, stream.
                guard received[3] == Self.settings else { return end(.failed, "it does not speak HTTP/2") }
                return end(.passed, "it believes us, and speaks HTTP/2")
            case .wouldBlock: return
            case .endOfFile: return endRefused("it closed")
            case .failed(let error): return endRefused("\(error)")
            }
        }
    }

    private func endRefused(_ how: String) {
        end(.failed, "TLS: \(how) after the handshake, before HTTP/2; it may not believe our certificate")
    }
}
