import Core
import HTTP

/// Frames octet by octet (RFC 9113, section 4.1), as a peer would send them that obeys no library.
enum Frame {
    static let preface: [UInt8] = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func raw(_ kind: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = [], length: Int? = nil)
        -> [UInt8]
    {
        let size = length ?? payload.count
        return [UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255), kind, flags] + word(stream)
            + payload
    }

    static func word(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    static func data(_ stream: UInt32, _ text: String = "", end: Bool = false) -> [UInt8] {
        raw(0, flags: end ? 1 : 0, stream: stream, Array(text.utf8))
    }

    /// - Parameter last: with END_HEADERS.
    static func headers(_ stream: UInt32, _ block: [UInt8], end: Bool = true, last: Bool = true) -> [UInt8] {
        raw(1, flags: (end ? 1 : 0) | (last ? 4 : 0), stream: stream, block)
    }

    static func continuation(_ stream: UInt32, _ block: [UInt8], last: Bool = true) -> [UInt8] {
        raw(9, flags: last ? 4 : 0, stream: stream, block)
    }

    static func priority(_ stream: UInt32, on parent: UInt32 = 0) -> [UInt8] {
        raw(2, stream: stream, word(parent) + [15])
    }

    static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] { raw(3, stream: stream, word(code)) }

    static func settings(_ entries: [(UInt16, UInt32)] = []) -> [UInt8] {
        raw(4, entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
    }

    static let settingsAcknowledged = raw(4, flags: 1)
    static func ping(_ data: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]) -> [UInt8] { raw(6, data) }
    static func goAway(_ last: UInt32, _ code: UInt32 = 0) -> [UInt8] { raw(7, word(last) + word(code)) }
    static func window(_ stream: UInt32, _ increment: UInt32) -> [UInt8] { raw(8, stream: stream, word(increment)) }

    // MARK: header blocks, every field a literal that is not indexed (RFC 7541, section 6.2.2)

    static func field(_ name: String, _ value: String) -> [UInt8] { [0] + string(name) + string(value) }
    static func fields(_ list: [(String, String)]) -> [UInt8] { list.flatMap { field($0.0, $0.1) } }

    static func string(_ text: String) -> [UInt8] {
        let octets = Array(text.utf8)
        return integer(octets.count, prefix: 7) + octets
    }

    /// RFC 7541, section 5.1.
    static func integer(_ value: Int, prefix: Int, first: UInt8 = 0) -> [UInt8] {
        let most = 1 << prefix - 1
        if value < most { return [first | UInt8(value)] }
        var out = [first | UInt8(most)]
        var rest = value - most
        while rest >= 128 {
            out.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return out + [UInt8(rest)]
    }

    static func get(_ path: String = "/", _ more: [(String, String)] = []) -> [UInt8] {
        fields([(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "a.example")] + more)
    }

    static func post(_ more: [(String, String)] = []) -> [UInt8] {
        fields([(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "a.example")] + more)
    }
}

/// One frame that the session sent.
struct SentFrame: Equatable {
    var kind: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]

    static func all(_ octets: [UInt8]) -> [SentFrame] {
        var frames: [SentFrame] = []
        var at = 0
        while at + 9 <= octets.count {
            let length = Int(octets[at]) << 16 | Int(octets[at + 1]) << 8 | Int(octets[at + 2])
            precondition(at + 9 + length <= octets.count, "a frame was sent in part")
            frames.append(
                SentFrame(
                    kind: octets[at + 3], flags: octets[at + 4], stream: number(octets, at + 5),
                    payload: Array(octets[(at + 9)..<(at + 9 + length)])))
            at += 9 + length
        }
        return frames
    }

    static func number(_ octets: [UInt8], _ at: Int) -> UInt32 {
        octets[at..<(at + 4)].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
