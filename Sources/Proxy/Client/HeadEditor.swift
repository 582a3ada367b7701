import Core
import HTTP
import Routing

/// Rewrites a request's head before it is routed: other fields, or another Host. The start line stays, the lines that stay
/// keep their octets. A worker's, with the memory that its edits take turns in.
struct HeadEditor: ~Copyable {
    /// What else goes or comes, beside a policy's own edits.
    struct Wishes {
        var dropsUnderscores = false
        /// Fields that only a gateway says (`x-envoy-…`).
        var dropsEnvoyFields = false
        /// Host, in the place of what came; empty: it stays.
        var host = ByteView.empty
    }

    /// The edited head, when an edit is done.
    var octets = ByteBuffer()
    /// The lines as they came.
    private var lines = FieldTable()

    /// - Parameters:
    ///   - head: whose ranges count from `bytes` before and from ``octets`` after.
    ///   - mutation: what a policy adds and removes; applied first.
    mutating func edit(_ head: inout RequestHead, _ bytes: ByteView, _ mutation: HeaderMutation, _ wishes: Wishes) {
        octets.clear()
        lines.removeAll()
        swap(&head.fields, &lines)
        let fieldsStart = lines.count > 0 ? Int(lines[0].nameOffset) : head.length - 2
        octets.append(bytes.upTo(fieldsStart))
        let setsHost = !wishes.host.isEmpty || self.setsHost(mutation, bytes)
        for index in 0..<lines.count {
            let line = lines[index]
            let end = index + 1 < lines.count ? Int(lines[index + 1].nameOffset) : head.length - 2
            if goes(line, bytes, mutation, wishes, setsHost: setsHost) { continue }
            keep(line, upTo: end, bytes, to: &head, setsHost: setsHost)
        }
        if !wishes.host.isEmpty { appendHost(wishes.host, to: &head) }
        for index in 0..<mutation.additionCount {
            guard let line = mutation.line(index), !line.isIfAbsent || !has(line.name, in: bytes) else { continue }
            if FieldName(line.name) != .host {
                append(line.name, line.value, to: &head)
            } else if wishes.host.isEmpty {
                appendHost(line.value, to: &head)
            }
        }
        octets.append("\r\n")
        head.length = octets.count
    }

    /// Adds a line at the end; everything else stays as and where it is.
    mutating func add(_ name: ByteView, _ value: ByteView, to head: inout RequestHead, _ bytes: ByteView) {
        octets.clear()
        octets.append(bytes.upTo(head.length - 2))
        append(name, value, to: &head)
        octets.append("\r\n")
        head.length = octets.count
    }

    private func setsHost(_ mutation: HeaderMutation, _ bytes: ByteView) -> Bool {
        for index in 0..<mutation.additionCount {
            guard let line = mutation.line(index), FieldName(line.name) == .host else { continue }
            if !line.isIfAbsent || !has(line.name, in: bytes) { return true }
        }
        return false
    }

    private func goes(
        _ line: FieldLine, _ bytes: ByteView, _ mutation: HeaderMutation, _ wishes: Wishes, setsHost: Bool
    ) -> Bool {
        if line.name == .host { return setsHost }
        if line.name.isOfFraming { return false }
        let name = line.name(in: bytes)
        if wishes.dropsUnderscores, name.firstIndex(of: ASCII.underscore) != nil { return true }
        if wishes.dropsEnvoyFields, name.count > 8, name.upTo(8).equalsIgnoringCase("x-envoy-") { return true }
        return mutation.drops(name)
    }

    private func has(_ name: ByteView, in bytes: ByteView) -> Bool { lines.firstIndex(named: name, in: bytes) != nil }

    private mutating func keep(
        _ line: FieldLine, upTo end: Int, _ bytes: ByteView, to head: inout RequestHead, setsHost: Bool
    ) {
        let from = Int(line.nameOffset)
        let moved = octets.count - from
        octets.append(bytes[from..<end])
        var kept = line
        kept.nameOffset = UInt32(from + moved)
        kept.valueOffset = UInt32(Int(line.valueOffset) + moved)
        head.fields.append(kept)
        // Of an absolute target they lie in the start line, and stay.
        if line.name == .host, !setsHost, Int(head.authority.offset) >= from {
            head.authority = OctetRange(offset: Int(head.authority.offset) + moved, length: Int(head.authority.length))
            head.host = OctetRange(offset: Int(head.host.offset) + moved, length: Int(head.host.length))
        }
    }

    private mutating func append(_ name: ByteView, _ value: ByteView, to head: inout RequestHead) {
        let at = octets.count
        octets.append(name)
        octets.append(": ")
        octets.append(value)
        octets.append("\r\n")
        head.fields.append(
            FieldLine(
                nameOffset: UInt32(at), nameLength: UInt16(name.count), valueOffset: UInt32(at + name.count + 2),
                valueLength: UInt32(value.count), name: FieldName(name)))
    }

    private mutating func appendHost(_ value: ByteView, to head: inout RequestHead) {
        guard let authority = Authority(value) else { return }
        let at = octets.count + 6
        append(ByteView("Host"), value, to: &head)
        head.authority = OctetRange(offset: at, length: value.count)
        head.host = OctetRange(offset: at, length: authority.hostLength)
        head.port = authority.port
    }
}
