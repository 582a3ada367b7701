/// Something that the supervisor, or a guard, wants said: constant text, then facts, so that lines can be counted.
public struct Notice: Sendable {
    public var level: LogLevel
    public var text: StaticString
    public var facts: [(key: StaticString, value: String)]

    public init(_ level: LogLevel, _ text: StaticString, _ facts: [(key: StaticString, value: String)] = []) {
        self.level = level
        self.text = text
        self.facts = facts
    }
}
