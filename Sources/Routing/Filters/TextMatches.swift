import Config
import Core

extension RouteTable {
    /// Whether one of `matches` fits a name, whatever its case: header fields and tokens of HTTP have none. Expressions are
    /// asked with the name in lower case.
    public func matches(_ matches: Table<TextMatchConfig>, name: ByteView) -> Bool {
        for i in 0..<Int(matches.count) {
            let match = snapshot[matches, i].pointee
            let value = snapshot.text(match.value)
            let fits: Bool
            switch match.kind {
            case .exact: fits = value.equalsIgnoringCase(name)
            case .prefix: fits = name.count >= value.count && name.upTo(value.count).equalsIgnoringCase(value)
            case .suffix:
                fits = name.count >= value.count && name.from(name.count - value.count).equalsIgnoringCase(value)
            case .regularExpression:
                scratch.clear()
                for index in name.indices { scratch.append(byte: ASCII.lower(name[index])) }
                fits = pattern(match.pattern).matches(scratch.view)
            }
            if fits { return true }
        }
        return false
    }
}
