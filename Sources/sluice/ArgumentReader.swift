import Core

/// Walks over a command's arguments: options with `--name value` or `--name=value`, operands, and `--` before operands that
/// begin with a dash.
struct ArgumentReader {
    enum Argument: Equatable {
        /// With its dashes, without its value.
        case option(String)
        case operand(String)
    }

    private var rest: ArraySlice<String>
    private var option = ""
    private var attached: String?
    private var onlyOperands = false

    init(_ arguments: [String]) { rest = arguments[...] }

    mutating func next() throws(UsageError) -> Argument? {
        if let attached { throw UsageError("\(option) takes no value, but was given '\(attached)'") }
        guard let word = rest.popFirst() else { return nil }
        if onlyOperands || !word.hasPrefix("-") || word == "-" { return .operand(word) }
        if word == "--" {
            onlyOperands = true
            return try next()
        }
        guard let equals = word.firstIndex(of: "=") else {
            option = word
            return .option(word)
        }
        option = String(word[..<equals])
        attached = String(word[word.index(after: equals)...])
        return .option(option)
    }

    /// The value of the option that came last.
    /// - Parameter placeholder: what kind of value it is, as the help names it.
    mutating func value(_ placeholder: String) throws(UsageError) -> String {
        if let value = attached {
            attached = nil
            return value
        }
        guard let value = rest.popFirst() else {
            throw UsageError("\(option) needs a value: \(option) \(placeholder)")
        }
        return value
    }

    mutating func number(_ placeholder: String, in range: ClosedRange<Int>) throws(UsageError) -> Int {
        let text = try value(placeholder)
        guard let number = text.withView({ $0.decimal }).flatMap({ Int(exactly: $0) }), range.contains(number) else {
            throw UsageError("\(option) '\(text)': write a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A duration as Gateway API writes it (GEP-2257): `30s`, `1h30m`, `250ms`; `0` too.
    mutating func duration(_ placeholder: String = "DURATION") throws(UsageError) -> TimeAmount {
        let text = try value(placeholder)
        guard let amount = TimeAmount(duration: text) else {
            throw UsageError(
                "\(option) '\(text)': write a duration such as 87600h, 1m30s or 250ms: h is the largest unit, with five digits at most before it"
            )
        }
        return amount
    }

    /// For an option that the command does not have.
    func unknown(_ option: String, among known: [String]) -> UsageError {
        let near = known.filter { $0.commonPrefix(with: option) >= 4 }.max {
            $0.commonPrefix(with: option) < $1.commonPrefix(with: option)
        }
        let hint = near.map { "; did you mean \($0)?" } ?? "; the options are \(known.joined(separator: ", "))"
        return UsageError("there is no option \(option)\(hint)")
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> Int {
        zip(utf8, other.utf8).prefix { $0 == $1 }.count
    }
}

extension TimeAmount {
    /// Reads `([0-9]{1,5}(h|m|s|ms)){1,4}` (GEP-2257), or `0`; nil for anything else.
    init?(duration text: String) {
        if text == "0" {
            self = .zero
            return
        }
        var nanoseconds: Int64 = 0
        var parts = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let digits = rest.prefix { ASCII.isDigit($0) }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { !ASCII.isDigit($0) }
            rest = rest.dropFirst(unit.count)
            let factor: Int64? =
                switch String(decoding: unit, as: UTF8.self) {
                case "h": 3_600_000_000_000
                case "m": 60_000_000_000
                case "s": 1_000_000_000
                case "ms": 1_000_000
                default: nil
                }
            guard let factor, (1...5).contains(digits.count), parts < 4 else { return nil }
            nanoseconds += factor * digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
            parts += 1
        }
        guard parts > 0 else { return nil }
        self.init(nanoseconds: nanoseconds)
    }
}
