/// Frames of HTTP/2 by hand (RFC 9113, section 4.1), for tests that look at one stream.
struct HTTP2Frames {
    struct Frame {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF), type, flags]
            + (0..<4).map { UInt8(stream >> (24 - 8 * $0) & 0xFF) } + payload
    }

    static var begin: [UInt8] { preface + frame(4) }

    /// HEADERS of a CONNECT; its fields are literals with names from the static table (RFC 7541, section 6.2.2).
    static func connect(_ authority: String, stream: UInt32 = 1) -> [UInt8] {
        let method = Array("CONNECT".utf8)
        let host = Array(authority.utf8)
        let block = [0x02, UInt8(method.count)] + method + [0x01, UInt8(host.count)] + host
        return frame(1, flags: 4, stream: stream, block)
    }

    static func data(_ text: String, stream: UInt32 = 1, ends: Bool = false) -> [UInt8] {
        frame(0, flags: ends ? 1 : 0, stream: stream, Array(text.utf8))
    }

    static func reset(stream: UInt32 = 1) -> [UInt8] { frame(3, stream: stream, [0, 0, 0, 8]) }

    /// The whole frames of what was received.
    static func read(_ octets: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var at = 0
        while octets.count - at >= 9 {
            let length = Int(octets[at]) << 16 | Int(octets[at + 1]) << 8 | Int(octets[at + 2])
            guard octets.count - at - 9 >= length else { break }
            let stream = octets[(at + 5)..<(at + 9)].reduce(0) { $0 << 8 | UInt32($1) }
            frames.append(
                Frame(
                    type: octets[at + 3], flags: octets[at + 4], stream: stream,
                    payload: Array(octets[(at + 9)..<(at + 9 + length)])))
            at += 9 + length
        }
        return frames
    }

    /// What a stream has carried.
    static func content(_ octets: [UInt8], stream: UInt32 = 1) -> String {
        String(
            decoding: read(octets).filter { $0.type == 0 && $0.stream == stream }.flatMap(\.payload), as: UTF8.self)
    }

    static func hasEnded(_ octets: [UInt8], stream: UInt32 = 1) -> Bool {
        read(octets).contains { $0.stream == stream && $0.type <= 1 && $0.flags & 1 != 0 }
    }

    static func wasReset(_ octets: [UInt8], stream: UInt32 = 1) -> Bool {
        read(octets).contains { $0.stream == stream && $0.type == 3 && $0.payload != [0, 0, 0, 0] }
    }
}
