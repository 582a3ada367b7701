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
}
