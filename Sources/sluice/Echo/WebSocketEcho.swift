import Core

/// Sends every WebSocket message back as it came, unmasked, frame by frame (RFC 6455, section 5). Payloads pass through;
/// nothing is collected, whatever their size.
struct WebSocketEcho {
    /// Of the frame under way: payload octets still to come, and the client's mask.
    private var remaining: UInt64 = 0
    private var mask: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var phase = 0
    private var isClosing = false

    /// - Returns: false when the conversation is over: the close frame was answered, or the peer broke the protocol.
    mutating func pass(_ input: inout ByteBuffer, to output: inout ByteBuffer) -> Bool {
        while !input.isEmpty || remaining == 0 {
            if remaining > 0 {
                passPayload(&input, to: &output)
                if remaining == 0, isClosing { return false }
                continue
            }
            switch beginFrame(&input, to: &output) {
            case .begun: if remaining == 0, isClosing { return false }
            case .incomplete: return true
            case .broken: return false
            }
        }
        return true
    }

    private enum Head { case begun, incomplete, broken }

    private mutating func beginFrame(_ input: inout ByteBuffer, to output: inout ByteBuffer) -> Head {
        let view = input.view
        guard view.count >= 2 else { return .incomplete }
        // A client's frames are masked (section 5.1); extensions were not agreed on.
        guard view[1] & 0x80 != 0, view[0] & 0x70 == 0 else { return .broken }
        let short = Int(view[1] & 0x7F)
        let extra = short == 126 ? 2 : short == 127 ? 8 : 0
        guard view.count >= 2 + extra + 4 else { return .incomplete }
        var length = UInt64(short)
        if extra > 0 {
            length = 0
            for i in 0..<extra { length = length << 8 | UInt64(view[2 + i]) }
        }
        let opcode = view[0] & 0x0F
        // Control frames are short (section 5.5).
        guard opcode < 8 || length <= 125, length >> 63 == 0 else { return .broken }
        mask = (view[2 + extra], view[3 + extra], view[4 + extra], view[5 + extra])
        phase = 0
        remaining = length
        isClosing = opcode == 8
        // A ping is answered by a pong with the same payload (section 5.5.3); everything else goes back as it is.
        output.append(byte: opcode == 9 ? 0x8A : view[0])
        output.append(byte: view[1] & 0x7F)
        output.append(view[2..<(2 + extra)])
        input.consume(2 + extra + 4)
        return .begun
    }

    private mutating func passPayload(_ input: inout ByteBuffer, to output: inout ByteBuffer) {
        let count = Int(min(UInt64(input.count), remaining))
        let view = input.view
        output.makeRoom(count)
        for i in 0..<count {
            let key: UInt8 =
                switch phase & 3 {
                case 0: mask.0
                case 1: mask.1
                case 2: mask.2
                default: mask.3
                }
            output.append(byte: view[i] ^ key)
            phase &+= 1
        }
        input.consume(count)
        remaining -= UInt64(count)
    }

    /// What proves that the handshake was understood (section 4.2.2).
    static func accept(key: ByteView) -> String {
        base64(SHA1.digest(key.array + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)))
    }

    private static func base64(_ octets: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: octets.count, by: 3) {
            let group = (0..<3).reduce(UInt32(0)) { bits, i in
                bits << 8 | (start + i < octets.count ? UInt32(octets[start + i]) : 0)
            }
            for i in 0..<4 {
                let isPadding = start + i > octets.count
                text.append(isPadding ? 0x3D : alphabet[Int(group >> UInt32(18 - 6 * i)) & 63])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// SHA-1 (FIPS 180-4), for WebSocket's handshake alone, where it keeps no secret.
enum SHA1 {
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        let bits = UInt64(message.count) * 8
        for i in 0..<8 { padded.append(UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * i))) }
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        for start in stride(from: 0, to: padded.count, by: 64) { mix(padded[start..<(start + 64)], into: &state) }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) } }
    }

    private static func mix(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
        func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
        var words = stride(from: block.startIndex, to: block.endIndex, by: 4).map { at in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(block[at + $1]) }
        }
        for i in 16..<80 { words.append(rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1)) }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for i in 0..<80 {
            let (f, k): (UInt32, UInt32) =
                switch i {
                case ..<20: (b & c | ~b & d, 0x5A82_7999)
                case ..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case ..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            (a, b, c, d, e) = (rotate(a, 5) &+ f &+ e &+ k &+ words[i], a, rotate(b, 30), c, d)
        }
        for (place, value) in [a, b, c, d, e].enumerated() { state[place] = state[place] &+ value }
    }
}
