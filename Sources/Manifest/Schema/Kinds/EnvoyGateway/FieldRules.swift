import Core

/// Rules about which fields of an object go together.
enum FieldRules {
    /// At least one of them is written.
    static func anyOf(_ names: StaticString...) -> Rule {
        { value, report in
            if names.contains(where: { value[$0].exists }) { return }
            report.refuse(value, "one of \(list(names)) must be specified")
        }
    }

    /// One of them is written, and only one.
    static func oneOf(_ names: StaticString...) -> Rule {
        { value, report in
            let written = names.filter { value[$0].exists }
            if written.isEmpty { report.refuse(value, "one of \(list(names)) must be specified") }
            for name in written.dropFirst() {
                report.refuse(
                    value[name], "only one of \(list(names)) can be specified; \(written[0]) is there already")
            }
        }
    }

    static func notBoth(_ first: StaticString, _ second: StaticString) -> Rule {
        { value, report in
            guard value[first].exists, value[second].exists else { return }
            report.refuse(value[second], "only one of \(first) and \(second) can be set; remove one of them")
        }
    }

    /// Of two durations, the first is the shorter.
    static func shorter(_ first: StaticString, than second: StaticString) -> Rule {
        { value, report in
            guard let short = DurationText.nanoseconds(value[first].text),
                let long = DurationText.nanoseconds(value[second].text), short >= long
            else { return }
            let written = "\(value[first].text.string) is not shorter than \(value[second].text.string)"
            report.refuse(value[first], "\(first) must be less than \(second); \(written)")
        }
    }

    private static func list(_ names: [StaticString]) -> String {
        guard let last = names.last, names.count > 1 else { return names.first?.description ?? "" }
        return names.dropLast().map(\.description).joined(separator: ", ") + " or " + last.description
    }
}

extension Node {
    /// True when it is a string of just one of these texts.
    func isAny(of choices: StaticString...) -> Bool { choices.contains { equals($0) } }
}
