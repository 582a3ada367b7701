import Core

/// What filters of routes ask of their fields beyond the shape.
enum FilterRules {
    /// `*`, or a scheme with a host, whose first label may be `*`, and a port.
    static let origin = TextFormat(
        description: "an origin: '*', or a scheme and a host such as 'https://*.example.com:8443'",
        matches: { text in
            if text.equals("*") { return true }
            var rest = text
            if rest.hasPrefix(ByteView("http://")) {
                rest = rest.from(7)
            } else if rest.hasPrefix(ByteView("https://")) {
                rest = rest.from(8)
            } else {
                return false
            }
            return isOriginHost(rest)
        })

    /// `*`, or a host whose first label may be `*`, with a port at most.
    /// - Parameter extra: an octet that names may have besides letters, digits and `-`.
    static func isOriginHost(_ text: ByteView, alsoWith extra: UInt8 = 0x2D) -> Bool {
        var rest = text
        if let colon = rest.firstIndex(of: ASCII.colon) {
            let port = rest.from(colon + 1)
            guard (1...5).contains(port.count), port.decimal != nil else { return false }
            rest = rest.upTo(colon)
        }
        if rest.equals("*") { return true }
        if rest.hasPrefix(ByteView("*.")) { rest = rest.from(2) }
        // Labels of letters, digits and '-', none of them empty.
        var length = 0
        for index in rest.indices {
            if rest[index] == ASCII.dot {
                guard length > 0 else { return false }
                length = 0
            } else {
                let byte = rest[index]
                guard TextFormat.isAlphanumeric(byte) || byte == 0x2D || byte == extra else { return false }
                length += 1
            }
        }
        return length > 0
    }

    /// A union: for each value of `type` one field must be there, and for all others it must not.
    static func typeAndField(_ pairs: [(type: StaticString, field: StaticString)], type: StaticString = "type") -> Rule
    {
        { value, report in
            let chosen = value[type]
            for pair in pairs {
                let isChosen = chosen.equals(pair.type)
                let field = value[pair.field]
                if isChosen, !field.exists {
                    report.refuse(
                        value, field: pair.field, "\(pair.field) must be specified when \(type) is '\(pair.type)'")
                }
                if !isChosen, field.exists {
                    report.refuse(
                        field,
                        "\(pair.field) must be nil unless \(type) is '\(pair.type)'; it is '\(chosen.text.string)'")
                }
            }
        }
    }

    /// Filters of these types stand once in a list.
    static func once(_ types: [StaticString]) -> Rule {
        { filters, report in
            guard filters.count > 1 else { return }
            for type in types {
                var first: Int?
                for (position, filter) in filters.items.enumerated() where filter["type"].equals(type) {
                    if let first {
                        report.refuse(filter, "the \(type) filter cannot be repeated; item \(first) is one already")
                    } else {
                        first = position
                    }
                }
            }
        }
    }

    static let redirectOrRewrite: Rule = { filters, report in
        guard filters.count > 1, filters.items.contains(where: { $0["type"].equals("RequestRedirect") }) else { return }
        for filter in filters.items where filter["type"].equals("URLRewrite") {
            report.refuse(filter, "either a RequestRedirect or a URLRewrite filter may be specified, but not both")
        }
    }

    static let percentOrFraction: Rule = { mirror, report in
        guard mirror["percent"].exists, mirror["fraction"].exists else { return }
        report.refuse(mirror["fraction"], "only one of percent or fraction may be specified")
    }

    static let fraction: Rule = { fraction, report in
        guard let part = fraction["numerator"].integer, let whole = fraction["denominator"].integer, part > whole else {
            return
        }
        report.refuse(
            fraction["numerator"], "numerator must be less than or equal to denominator; \(part) is more than \(whole)")
    }

    static let pathModifier: Rule = { path, report in
        typeAndField([
            ("ReplaceFullPath", "replaceFullPath"), ("ReplacePrefixMatch", "replacePrefixMatch"),
        ])(path, &report)
    }

    static let starAlone: Rule = { list, report in
        guard list.count > 1 else { return }
        for item in list.items where item.equals("*") {
            report.refuse(item, "'*' stands for all and cannot stand alongside others; keep it alone or remove it")
        }
    }
}
