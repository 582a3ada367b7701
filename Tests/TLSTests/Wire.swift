import Core
import Support

@testable import TLS

/// Two sessions and what is between them: octets go from one's `pending` to the other's `received`, whole or in pieces.
final class Wire {
    let server: TLSSession
    let client: TLSSession
    /// At most so many octets are handed over at once.
    var piece = Int.max

    init(server: TLSSession, client: TLSSession, piece: Int = .max) {
        self.server = server
        self.client = client
        self.piece = piece
    }

    convenience init(
        _ server: TLSContext, _ client: TLSContext, name: String? = "shop.example.com",
        resuming: TLSResumption? = nil, piece: Int = .max
    ) {
        self.init(
            server: TLSSession(server: server),
            client: TLSSession(client: client, serverName: name, resuming: resuming), piece: piece)
    }

    /// - Returns: whether anything moved.
    @discardableResult func carry(from: TLSSession, to: TLSSession) -> Bool {
        let count = min(piece, from.pending.count)
        guard count > 0 else { return false }
        to.received.compact()
        to.received.append(from.pending.view.upTo(count))
        from.pending.consume(count)
        if from.pending.isEmpty { from.pending.clear() }
        return true
    }

    /// Both handshakes as far as they go.
    @discardableResult func handshake() -> (server: TLSSession.HandshakeStep, client: TLSSession.HandshakeStep) {
        while true {
            let client = self.client.handshake()
            let moved = carry(from: self.client, to: server)
            let server = self.server.handshake()
            let back = carry(from: self.server, to: self.client)
            if !moved, !back { return (server, client) }
        }
    }

    /// Everything that `from` has pending, read by `to`.
    func read(from: TLSSession, to: TLSSession, room: Int = 64 * 1024) -> (octets: [UInt8], last: TLSSession.ReadStep) {
        var result: [UInt8] = []
        var buffer = ByteBuffer(capacity: room)
        while true {
            carry(from: from, to: to)
            let step = to.read(into: &buffer)
            result += buffer.view.array
            buffer.clear()
            switch step {
            case .octets: continue
            case .wantsInput where from.pending.count > 0: continue
            case .wantsInput, .closeNotify, .failed: return (result, step)
            }
        }
    }

    /// Writes all of `octets`, carrying when the writer is full.
    func send(_ octets: [UInt8], from: TLSSession, to: TLSSession) -> [UInt8] {
        var taken = 0
        var result: [UInt8] = []
        while taken < octets.count {
            let count = octets.withView { from.write($0.from(taken)) }
            taken += count
            result += read(from: from, to: to).octets
            if count == 0, from.failure != nil { break }
        }
        return result
    }
}

/// The settings that most tests begin with.
enum Made {
    static func pair(
        _ names: [String] = ["shop.example.com"], kind: TestCertificates.Kind = .ecdsa, expired: Bool = false
    ) throws -> KeyPairSettings {
        let pair = try TestCertificates.issue(names: names, kind: kind, expired: expired)
        return KeyPairSettings(name: names.first ?? "", chain: pair.chain, key: pair.key)
    }

    static func server(
        _ pairs: [KeyPairSettings]? = nil, _ change: (inout ServerTLSSettings) throws -> Void = { _ in }
    ) throws -> TLSContext {
        var settings = ServerTLSSettings(certificates: try pairs ?? [pair()])
        try change(&settings)
        return try TLSContext(server: settings)
    }

    static func client(
        hostname: String = "shop.example.com", trust: ClientTLSSettings.Trust? = nil,
        _ change: (inout ClientTLSSettings) throws -> Void = { _ in }
    ) throws -> TLSContext {
        var settings = ClientTLSSettings(
            trust: try trust ?? .authorities(TestCertificates.authority().certificate), hostname: hostname)
        try change(&settings)
        return try TLSContext(client: settings)
    }

    static func octets(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }
}
