import COpenSSL
import Core
import Glibc

/// The records of a server's TLS 1.3 connection after its handshake (RFC 8446, section 5), in place of OpenSSL's object,
/// which is freed then: that weighs 14 KiB, this some 3, and a record is opened straight into the reader's buffer and
/// sealed straight into the one to be sent, without the two copies between.
///
/// Little is left to do when the handshake is over: a client may send application data, alerts and KeyUpdates, and
/// nothing else. A client's side keeps OpenSSL's object, since it makes sessions of the tickets that come later.
final class ApplicationRecords {
    enum Step {
        case octets(Int)
        case wantsInput
        case closeNotify
        /// With the alert to send, if one is due.
        case failed(TLSFailure, alert: UInt8?)
    }

    /// Records that carry nothing for the application, one after the other: empty ones, KeyUpdates.
    static let mostIdleRecords = 32
    /// Records under one key before we take the next one ourselves: half of what AES-GCM bears (section 5.5).
    var recordsBeforeUpdate: UInt64 = 1 << 23

    private var reader: TrafficKey
    private var writer: TrafficKey
    /// Plaintext at the front of the received octets, opened in place because the reader's buffer was too small for it…
    private var opened = 0
    /// …and what is left of its record behind it.
    private var openedRest = 0
    private var idleRecords = 0
    private var peerHasClosed = false
    /// Our close_notify was sent, behind which nothing may come (section 6.1).
    private var hasClosed = false
    /// What came behind octets that were delivered first.
    private var deferredFailure: Step?

    /// - Parameters:
    ///   - suite: as on the wire.
    ///   - recordsWritten: since the server's secret came into force (tickets).
    init?(suite: UInt16, client: TrafficSecret, server: TrafficSecret, recordsWritten: UInt64) {
        guard let suite = TrafficSuite.numbered(suite), client.count == suite.secretOctets,
            server.count == suite.secretOctets
        else { return nil }
        reader = TrafficKey(suite, client, isSealing: false, sequence: 0)
        writer = TrafficKey(suite, server, isSealing: true, sequence: recordsWritten)
        guard reader.isReady, writer.isReady else { return nil }
    }

    // MARK: reading

    /// An end or a failure came behind the octets that were delivered last.
    var hasMoreToTell: Bool { peerHasClosed || deferredFailure != nil }

    /// Opens records as long as there are whole ones and room in `buffer`.
    /// - Parameter pending: gets the answer to a KeyUpdate.
    func read(
        _ received: inout ByteBuffer, into buffer: inout ByteBuffer, answering pending: inout ByteBuffer
    ) -> Step {
        var total = 0
        while true {
            if opened > 0 { total += deliver(&received, into: &buffer) }
            guard buffer.room > 0 else { return .octets(total) }
            if peerHasClosed { return total > 0 ? .octets(total) : .closeNotify }
            if let deferredFailure { return deferredFailure }
            let step = next(&received, into: &buffer, answering: &pending)
            if received.isEmpty { received.clear() }
            switch step {
            case .octets(let count): total += count
            case .wantsInput: return total > 0 ? .octets(total) : .wantsInput
            case .closeNotify: peerHasClosed = true
            case .failed:
                guard total > 0 else { return step }
                deferredFailure = step
                return .octets(total)
            }
        }
    }

    private func deliver(_ received: inout ByteBuffer, into buffer: inout ByteBuffer) -> Int {
        let count = min(opened, buffer.room)
        guard count > 0 else { return 0 }
        buffer.append(received.view.upTo(count))
        received.consume(count)
        opened -= count
        if opened == 0 { received.consume(openedRest) }
        if received.isEmpty { received.clear() }
        return count
    }

    /// One record. `.octets(0)`: there was one, without anything to deliver yet.
    private func next(
        _ received: inout ByteBuffer, into buffer: inout ByteBuffer, answering pending: inout ByteBuffer
    ) -> Step {
        let view = received.view
        guard view.count >= 5 else { return .wantsInput }
        // Nothing is in the clear any more; the version means nothing (section 5.2).
        guard view[0] == 23 else { return Self.refused(10, "a record in the clear after the handshake") }
        let count = Int(view[3]) << 8 | Int(view[4])
        guard count <= TLSLimits.record + 256 else { return Self.refused(22, "a record is too large") }
        guard count > TrafficKey.tagOctets else { return Self.refused(20, "a record is too small") }
        guard view.count >= 5 + count else { return .wantsInput }
        let size = count - TrafficKey.tagOctets
        // The buffer's own memory, to be written to: a record that does not fit elsewhere is opened where it is.
        let header = received.writePointer - view.count
        let isDirect = buffer.room >= size
        let output = isDirect ? buffer.writePointer : header + 5
        guard reader.open(header, count: count, to: output) else {
            return Self.refused(20, "a record was changed on its way")
        }
        guard size <= TLSLimits.record + 1 else { return Self.refused(22, "a record is too large") }
        // Padding is zeros behind the type (section 5.4).
        var end = size
        while end > 0, output[end - 1] == 0 { end -= 1 }
        guard end > 0 else { return Self.refused(10, "a record has no content type") }
        let content = ByteView(output, count: end - 1)
        switch output[end - 1] {
        case 23 where content.count > 0:
            idleRecords = 0
            if isDirect {
                buffer.didWrite(content.count)
                received.consume(5 + count)
                return .octets(content.count)
            }
            received.consume(5)
            opened = content.count
            openedRest = count - content.count
            return .octets(0)
        case 23: break
        case 21:
            // An empty one is not allowed at all (section 5.4).
            guard content.count > 0 else { return Self.refused(10, "an alert is empty") }
            guard content.count == 2 else { return Self.refused(50, "an alert is no alert") }
            switch content[1] {
            case 0:
                received.consume(5 + count)
                return .closeNotify
            case 90: break  // user_canceled: a close_notify follows.
            default:
                let text = "the peer sent the alert '\(TLSFailure.alertName(content[1]))'"
                return .failed(TLSFailure(.alert(content[1]), text), alert: nil)
            }
        case 22:
            // KeyUpdate, whole and alone in its record: no peer cuts five octets in two, and section 5.1 forbids others
            // behind them.
            guard content.count == 5, content[0] == 24, content[1] == 0, content[2] == 0, content[3] == 1 else {
                return Self.refused(10, "a handshake message after the handshake")
            }
            guard content[4] <= 1 else { return Self.refused(47, "a KeyUpdate asks for something unknown") }
            let isAsked = content[4] == 1 && !hasClosed
            guard reader.update(), !isAsked || updateKeys(answering: &pending) else {
                return .failed(TLSFailure(.local, "no new keys could be made"), alert: 80)
            }
        default: return Self.refused(10, "a record is of an unknown type")
        }
        idleRecords += 1
        guard idleRecords <= Self.mostIdleRecords else { return Self.refused(10, "too many records without data") }
        received.consume(5 + count)
        return .octets(0)
    }

    private static func refused(_ alert: UInt8, _ text: String) -> Step {
        .failed(TLSFailure(.protocolError, text), alert: alert)
    }

    // MARK: writing

    /// Appends one record of application data, in two pieces.
    func write(_ first: ByteView, _ second: ByteView, to pending: inout ByteBuffer) -> Bool {
        if writer.sequence >= recordsBeforeUpdate, !updateKeys(answering: &pending) { return false }
        return seal(first, second, type: 23, to: &pending)
    }

    /// The last word; there is only one.
    func alert(_ description: UInt8, to pending: inout ByteBuffer) {
        guard !hasClosed else { return }
        hasClosed = true
        // close_notify and user_canceled are warnings, the others are fatal (section 6).
        let level: UInt8 = description == 0 ? 1 : 2
        _ = [level, description].withView { seal($0, .empty, type: 21, to: &pending) }
    }

    /// Says that the next keys come, and takes them.
    private func updateKeys(answering pending: inout ByteBuffer) -> Bool {
        // A peer that asks again and again and reads nothing gets new answers only as far as this.
        guard pending.count < TLSLimits.pendingAtMost else { return false }
        return seal(ByteView("\u{18}\u{0}\u{0}\u{1}\u{0}"), .empty, type: 22, to: &pending) && writer.update()
    }

    private func seal(_ first: ByteView, _ second: ByteView, type: UInt8, to pending: inout ByteBuffer) -> Bool {
        let most = first.count + second.count + TLSLimits.recordOverhead
        if pending.isEmpty {
            pending.clear()
        } else if pending.room < most {
            pending.compact()
        }
        pending.makeRoom(most)
        guard let count = writer.seal(first, second, type: type, to: pending.writePointer) else {
            OpenSSLQueue.clear()
            return false
        }
        pending.didWrite(count)
        return true
    }
}
