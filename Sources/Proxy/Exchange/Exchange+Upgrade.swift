import Config
import Connection
import Core
import HTTP

/// BackendTrafficPolicy `httpUpgrade`: which protocols a request may ask for. Without a policy: websocket.
extension Exchange {
    /// Whether the request asks for a protocol that its route does not allow. Notes one that it does besides websocket.
    ///
    /// A protocol that nobody has named is ignored, as RFC 9110, section 7.8 lets a server do; a WebSocket handshake is answered
    /// 403, as Envoy does, since its client cannot go on without.
    func refusesUpgrade(_ message: RequestMessage, _ bytes: ByteView) -> Bool {
        guard let rule, !rule.pointee.traffic.isEmpty else { return false }
        let traffic = snapshot[rule.pointee.traffic, 0]
        guard !traffic.pointee.httpUpgrade.isEmpty else {
            // A request that is upgraded has no end that could be waited for.
            return message.head.upgradesToWebSocket && !traffic.pointee.requestBuffer.isEmpty
        }
        let types = snapshot[traffic.pointee.httpUpgrade, 0].pointee.types
        if message.head.upgradesToWebSocket { return !allows(ByteView("websocket"), types) }
        if types.isEmpty || message.head.majorVersion == 2 || message.head.framing != .none { return false }
        noteUpgrade(message, bytes, types)
        return false
    }

    private func allows(_ wanted: ByteView, _ types: Table<TextRef>) -> Bool {
        for index in 0..<Int(types.count) where snapshot.text(snapshot[types, index].pointee).equalsIgnoringCase(wanted)
        {
            return true
        }
        return false
    }

    /// One Upgrade field with one protocol of the policy's, and Connection names it.
    private func noteUpgrade(_ message: RequestMessage, _ bytes: ByteView, _ types: Table<TextRef>) {
        var asked = ByteView.empty
        var isNamed = false
        for index in 0..<message.head.fields.count {
            let line = message.head.fields[index]
            if line.name == .upgrade {
                guard asked.isEmpty else { return }
                asked = line.value(in: bytes)
            } else if line.name == .connection {
                var options = ListElements(line.value(in: bytes))
                while let option = options.next() { isNamed = isNamed || option.equalsIgnoringCase("upgrade") }
            }
        }
        guard isNamed, !asked.isEmpty else { return }
        for index in 0..<Int(types.count) {
            let type = snapshot[types, index].pointee
            if snapshot.text(type).equalsIgnoringCase(asked) { otherUpgrade = type }
        }
    }

    /// Whether a 101 is the answer to what was asked.
    func isAnswered(_ message: RequestMessage, by response: ResponseMessage, _ bytes: ByteView) -> Bool {
        if otherUpgrade.isEmpty { return message.head.upgradesToWebSocket && response.head.upgradesToWebSocket }
        guard let line = response.head.fields.first(.upgrade) else { return false }
        return line.value(in: bytes).equalsIgnoringCase(snapshot.text(otherUpgrade))
    }

    /// `Connection` and `Upgrade` of a head that asks for a protocol or grants it.
    func writeUpgrade(to out: inout ByteBuffer) {
        out.append("Connection: upgrade\r\nUpgrade: ")
        if otherUpgrade.isEmpty { out.append("websocket") } else { out.append(snapshot.text(otherUpgrade)) }
        out.append("\r\n")
    }
}
