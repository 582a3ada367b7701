import Config
import Core
import HTTP

/// RequestHeaderModifier and ResponseHeaderModifier as the writer of a head applies them: it leaves out the incoming lines
/// that ``drops(_:in:)`` names, and at the end has the new lines appended.
///
/// The rule's edits come first, then the backendRef's: a later `set` or `remove` also undoes what an earlier edit added.
/// Having none costs one comparison a head.
public struct HeaderEdits {
    private let snapshot: Snapshot
    private let first: UnsafePointer<HeaderEditConfig>
    private let firstCount: Int
    private let second: UnsafePointer<HeaderEditConfig>
    private let count: Int

    /// - Parameters:
    ///   - rule: the rule's table; `backend` the chosen backendRef's.
    public init(
        rule: Table<HeaderEditConfig>, backend: Table<HeaderEditConfig> = Table(), in snapshot: Snapshot
    ) {
        self.snapshot = snapshot
        first = snapshot.records(rule)
        firstCount = Int(rule.count)
        second = snapshot.records(backend)
        count = Int(rule.count) + Int(backend.count)
    }

    public var isEmpty: Bool { count == 0 }

    private func edit(_ index: Int) -> UnsafePointer<HeaderEditConfig> {
        index < firstCount ? first + index : second + (index - firstCount)
    }

    /// Whether an incoming line is replaced or removed. A well-known field is compared as a number.
    public func drops(_ line: FieldLine, in bytes: ByteView) -> Bool {
        for i in 0..<count {
            let edit = edit(i)
            guard edit.pointee.action != .add, edit.pointee.fieldName == line.name else { continue }
            if line.name != .other || snapshot.text(edit.pointee.name).equalsIgnoringCase(line.name(in: bytes)) {
                return true
            }
        }
        return false
    }

    /// Whether some edit sets or removes the field: a field that the gateway writes itself is then left to the edits.
    public func replaces(_ name: FieldName) -> Bool {
        for i in 0..<count where edit(i).pointee.fieldName == name && edit(i).pointee.action != .add { return true }
        return false
    }

    /// What the edits make of a field.
    public enum Outcome {
        case untouched, removed
        /// The last that is set or added.
        case value(ByteView)
    }

    public func outcome(for known: FieldName, _ name: ByteView) -> Outcome {
        var outcome = Outcome.untouched
        for i in 0..<count {
            let edit = edit(i)
            guard edit.pointee.fieldName == known, snapshot.text(edit.pointee.name).equalsIgnoringCase(name) else {
                continue
            }
            outcome = edit.pointee.action == .remove ? .removed : .value(snapshot.text(edit.pointee.value))
        }
        return outcome
    }

    /// Appends the lines of `set` and `add`, names as written in the manifest, each with its CRLF.
    public func appendLines(to buffer: inout ByteBuffer) {
        for i in 0..<count {
            let edit = edit(i)
            guard edit.pointee.action != .remove, !isUndone(i) else { continue }
            buffer.append(snapshot.text(edit.pointee.name))
            buffer.append(": ")
            buffer.append(snapshot.text(edit.pointee.value))
            buffer.append("\r\n")
        }
    }

    private func isUndone(_ index: Int) -> Bool {
        let name = snapshot.text(edit(index).pointee.name)
        var later = index + 1
        while later < count {
            let edit = edit(later)
            if edit.pointee.action != .add, snapshot.text(edit.pointee.name).equalsIgnoringCase(name) { return true }
            later += 1
        }
        return false
    }
}
