import HTTP
import Testing

/// What a peer sends after preface and settings, and what becomes of it.
struct FrameCase: Sendable, CustomTestStringConvertible {
    let section: String
    let what: String
    let octets: [UInt8]
    let outcome: Wire.Outcome

    init(_ section: String, _ what: String, _ octets: [UInt8]..., is outcome: Wire.Outcome) {
        self.section = section
        self.what = what
        self.octets = octets.flatMap { $0 }
        self.outcome = outcome
    }

    var testDescription: String { "RFC 9113, \(section): \(what)" }

    /// Whole, and octet by octet: pieces change nothing.
    func check(_ side: HTTP2Session.Side = .server, opening: Bool = true) {
        let wire = Wire(side, opening: opening)
        wire.receive(octets)
        #expect(wire.outcome == outcome, "\(testDescription)")
        let pieces = Wire(side, opening: opening)
        for octet in octets { pieces.receive([octet]) }
        #expect(pieces.outcome == outcome, "\(testDescription), octet by octet")
    }
}
