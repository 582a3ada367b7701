import Config
import Core
import HTTP

/// `sluice.dev/carry` of a Gateway: fields of requests that go on through the whole chain of their calls, `NAME` or
/// `NAME=KEY`, where `KEY` names the entry in `baggage`.
struct CarriedFields {
    static let annotation: StaticString = "sluice.dev/carry"
    /// Fields that one Gateway carries.
    static let limit = 8

    private(set) var fields: [CarriedFieldPlan] = []
    private(set) var problems: [(node: WrittenNode, message: String)] = []

    init(_ resource: LoadedResource) {
        guard let text = AnnotationText(Self.annotation, of: resource) else { return }
        for entry in text.entries {
            let name = (entry.rule ?? entry.value).lowercased()
            let key = entry.rule == nil ? name : entry.value
            guard let problem = Self.problem(name, key) else {
                if fields.contains(where: { $0.name == name }) { continue }
                if fields.count < Self.limit {
                    fields.append(CarriedFieldPlan(name: name, baggageKey: key))
                } else {
                    problems.append((text.node, "\(Self.annotation): more than \(Self.limit) fields"))
                }
                continue
            }
            problems.append((text.node, "\(Self.annotation): \(problem)"))
        }
    }

    private static func problem(_ name: String, _ key: String) -> String? {
        let field = name.withView { FieldName($0) }
        if !name.withView({ FieldName.isLegal($0) }) {
            return "'\(name)' is no name of a field; write names such as x-version, separated by commas"
        }
        if !key.withView({ FieldName.isLegal($0) }) {
            return "'\(key)' is no key of baggage; write NAME=KEY with a key such as version"
        }
        // What the gateway itself reads or writes has its own way through a chain of calls.
        return field == .other || field == .userAgent
            ? nil : "'\(name)' is written by the gateway itself; carry a field of the applications' own"
    }
}
