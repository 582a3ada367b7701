import Config
import Connection
import Core
import HTTP
import Routing
import Upstream

/// Fields that go on through a whole chain of calls (`sluice.dev/carry`): a request that lacks one, and belongs to a trace
/// or has baggage in which it is known, gets it before it is routed; what goes to a backend tells it on in both ways.
///
///     front door: x-version: v2  ─▶  a  ─ baggage, traceparent or x-request-id ─▶  gateway: x-version: v2  ─▶  b
extension Exchange {
    /// Adds what the request inherits. Before the request is routed.
    func inherit(_ fields: Table<CarriedFieldConfig>, _ connection: ServerStream) {
        carried = fields
        for index in 0..<Int(fields.count) {
            let field = snapshot[fields, index].pointee
            guard let message = connection.request else { return }
            let bytes = connection.headBytes
            let name = snapshot.text(field.name)
            guard message.head.fields.firstIndex(named: name, in: bytes) == nil else { continue }
            answerText.clear()
            guard findInherited(field, message, bytes) else { continue }
            worker.headEditor.add(name, answerText.view, to: &message.head, bytes)
            connection.replaceHead(&worker.headEditor.octets)
        }
        answerText.clear()
    }

    /// Appends the value that the request's baggage or its trace has to `answerText`.
    private func findInherited(_ field: CarriedFieldConfig, _ message: RequestMessage, _ bytes: ByteView) -> Bool {
        let key = snapshot.text(field.baggageKey)
        for index in 0..<message.head.fields.count where message.head.fields[index].name == .baggage {
            var members = Baggage.Members(message.head.fields[index].value(in: bytes))
            while let member = members.next() {
                guard member.key.equals(key), Baggage.canHold(member.value) else { continue }
                answerText.append(member.value)
                return true
            }
        }
        let now = worker.loop.now
        if let trace = Self.traceID(message, bytes) {
            let key = worker.liveState.limits.key(field.identity, of: trace)
            if worker.liveState.carried.find(key, now: now, appendTo: &answerText) { return true }
        }
        guard let id = message.head.fields.first(.xRequestId)?.value(in: bytes), !id.isEmpty else { return false }
        let requestKey = worker.liveState.limits.key(field.identity, of: id)
        return worker.liveState.carried.find(requestKey, now: now, appendTo: &answerText)
    }

    private static func traceID(_ message: RequestMessage, _ bytes: ByteView) -> ByteView? {
        message.head.fields.first(.traceparent).flatMap { Traceparent.traceID($0.value(in: bytes)) }
    }

    /// What the backend is told of a field: what the filters set, else what the request says; nil: nothing that could be
    /// carried on.
    private func carriedValue(
        _ field: CarriedFieldConfig, _ message: RequestMessage, _ bytes: ByteView, _ edits: HeaderEdits
    ) -> ByteView? {
        let name = snapshot.text(field.name)
        let value: ByteView?
        switch edits.outcome(for: field.fieldName, name) {
        case .untouched:
            value = message.head.fields.firstIndex(named: name, in: bytes).map {
                message.head.fields[$0].value(in: bytes)
            }
        case .removed: value = nil
        case .value(let set): value = set
        }
        return value.flatMap { Baggage.canHold($0) ? $0 : nil }
    }

    /// Whether the `baggage` of the request is written anew by ``writeCarried(_:_:_:to:)``.
    func rewritesBaggage(_ message: RequestMessage, _ bytes: ByteView, _ edits: HeaderEdits) -> Bool {
        guard !carried.isEmpty, !edits.replaces(.baggage) else { return false }
        var size = 0
        for index in 0..<message.head.fields.count where message.head.fields[index].name == .baggage {
            size += message.head.fields[index].value(in: bytes).count + 1
        }
        var lacks = false
        for index in 0..<Int(carried.count) {
            let field = snapshot[carried, index].pointee
            guard let value = carriedValue(field, message, bytes, edits) else { continue }
            let key = snapshot.text(field.baggageKey)
            size += key.count + value.count + 2
            if !Self.tells(key, value, message, bytes) { lacks = true }
        }
        return lacks && size <= Baggage.longest
    }

    private static func tells(
        _ key: ByteView, _ value: ByteView, _ message: RequestMessage, _ bytes: ByteView
    ) -> Bool {
        for index in 0..<message.head.fields.count where message.head.fields[index].name == .baggage {
            var members = Baggage.Members(message.head.fields[index].value(in: bytes))
            while let member = members.next() {
                if member.key.equals(key) { return member.value.equals(value) }
            }
        }
        return false
    }

    /// The request's `baggage` with what is carried, in one line.
    func writeCarried(_ message: RequestMessage, _ bytes: ByteView, _ edits: HeaderEdits, to out: inout ByteBuffer) {
        out.append("Baggage: ")
        var hasBegun = false
        for index in 0..<message.head.fields.count where message.head.fields[index].name == .baggage {
            var members = Baggage.Members(message.head.fields[index].value(in: bytes))
            while let member = members.next() {
                guard !isCarried(member.key, message, bytes, edits) else { continue }
                if hasBegun { out.append(byte: ASCII.comma) }
                hasBegun = true
                out.append(member.text)
            }
        }
        for index in 0..<Int(carried.count) {
            let field = snapshot[carried, index].pointee
            guard let value = carriedValue(field, message, bytes, edits) else { continue }
            if hasBegun { out.append(byte: ASCII.comma) }
            hasBegun = true
            out.append(snapshot.text(field.baggageKey))
            out.append(byte: ASCII.equals)
            out.append(value)
        }
        out.append("\r\n")
    }

    private func isCarried(
        _ key: ByteView, _ message: RequestMessage, _ bytes: ByteView, _ edits: HeaderEdits
    ) -> Bool {
        for index in 0..<Int(carried.count) {
            let field = snapshot[carried, index].pointee
            if snapshot.text(field.baggageKey).equals(key) {
                return carriedValue(field, message, bytes, edits) != nil
            }
        }
        return false
    }

    /// Has the calls that this one brings about known by its trace and by its request's identifier.
    func noteCarried(_ message: RequestMessage, _ bytes: ByteView, _ edits: HeaderEdits) {
        let now = worker.loop.now
        for index in 0..<Int(carried.count) {
            let field = snapshot[carried, index].pointee
            guard let value = carriedValue(field, message, bytes, edits) else { continue }
            if let trace = Self.traceID(message, bytes) {
                let key = worker.liveState.limits.key(field.identity, of: trace)
                worker.liveState.carried.note(key, value, now: now)
            }
            let key = worker.liveState.limits.key(field.identity, of: requestID(message, bytes))
            worker.liveState.carried.note(key, value, now: now)
        }
    }
}
