import Config
import Core
import HTTP

/// Edits of a head as a ClientTrafficPolicy has them (`headers.earlyRequestHeaders`, `lateResponseHeaders`): which lines of
/// the head go, and which come. What holds the message together is never touched (``FieldName/isOfFraming``).
public struct HeaderMutation {
    private let config: HeaderMutationConfig
    private let table: RouteTable

    public init(_ config: HeaderMutationConfig, _ table: RouteTable) {
        self.config = config
        self.table = table
    }

    public var isEmpty: Bool { config.isEmpty }

    /// Whether a line that came goes: it is removed, or another is set in its place.
    public func drops(_ name: ByteView) -> Bool {
        guard !isEmpty, !FieldName(name).isOfFraming else { return false }
        for i in 0..<Int(config.additions.count) {
            let addition = addition(i)
            if addition.kind == .set, text(addition.name).equalsIgnoringCase(name) { return true }
        }
        return removes(name)
    }

    /// `remove` and `removeOnMatch`.
    private func removes(_ name: ByteView) -> Bool {
        for i in 0..<Int(config.removals.count) {
            if table.snapshot.text(table.snapshot[config.removals, i].pointee).equalsIgnoringCase(name) { return true }
        }
        // A request without Host is another request.
        if FieldName(name) == .host { return false }
        return table.matches(config.removalMatches, name: name)
    }

    /// How many lines there are to be asked about; see ``line(_:)``.
    public var additionCount: Int { Int(config.additions.count) }

    /// A line that comes, in the order in which they come; nil: it does not, because it is removed again, or an earlier one
    /// has taken its place. `isIfAbsent`: only where the head had no such field.
    public func line(_ index: Int) -> (name: ByteView, value: ByteView, isIfAbsent: Bool)? {
        let addition = addition(index)
        let name = text(addition.name)
        if removes(name) { return nil }
        for other in 0..<Int(config.additions.count) where other != index {
            let kind = self.addition(other).kind
            guard text(self.addition(other).name).equalsIgnoringCase(name) else { continue }
            switch addition.kind {
            // What is set overwrites what is added before it.
            case .add: if kind == .set { return nil }
            case .set: break
            case .addIfAbsent: if kind != .addIfAbsent || other < index { return nil }
            }
        }
        return (name, text(addition.value), addition.kind == .addIfAbsent)
    }

    private func addition(_ index: Int) -> HeaderAdditionConfig { table.snapshot[config.additions, index].pointee }
    private func text(_ ref: TextRef) -> ByteView { table.snapshot.text(ref) }

    // MARK: text

    /// Edits a response's head that was just written, from `start` of what `out` holds on; what lies behind the head
    /// stays.
    /// - Parameter scratch: memory to work in.
    public func edit(_ out: inout ByteBuffer, from start: Int, scratch: inout ByteBuffer) {
        guard !isEmpty else { return }
        scratch.clear()
        let text = out.view.from(start)
        guard let first = text.firstIndex(of: ASCII.lf) else { return }
        scratch.append(text.upTo(first + 1))
        var at = first + 1
        let fields = at
        while let lf = text.firstIndex(of: ASCII.lf, from: at) {
            let line = text[at..<(lf + 1)]
            guard line.count > 2, let colon = line.firstIndex(of: ASCII.colon) else { break }
            if !drops(line.upTo(colon)) { scratch.append(line) }
            at = lf + 1
        }
        for index in 0..<additionCount {
            guard let line = line(index) else { continue }
            if line.isIfAbsent, Self.has(line.name, in: text[fields..<at]) { continue }
            scratch.append(line.name)
            scratch.append(": ")
            scratch.append(line.value)
            scratch.append("\r\n")
        }
        scratch.append(text.from(at))
        out.truncate(out.count - start)
        out.append(scratch.view)
    }

    private static func has(_ name: ByteView, in lines: ByteView) -> Bool {
        var at = 0
        while let lf = lines.firstIndex(of: ASCII.lf, from: at) {
            let line = lines[at..<(lf + 1)]
            if line.count > name.count, line[name.count] == ASCII.colon, line.upTo(name.count).equalsIgnoringCase(name)
            {
                return true
            }
            at = lf + 1
        }
        return false
    }
}
