import Config
import Core

extension RateLimitPlan {
    /// Reads `rateLimit`; nil when it limits nothing.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        self.init()
        // The deprecated `type` chooses one of the two.
        let type = node[.type].string
        if type != "Local" {
            let global = node[Key.global]
            if type == "Global", !global.exists { reading.refuse(node, "type is Global, so global must be written") }
            for rule in global[.rules].items {
                if let plan = RateLimitRulePlan(rule, &reading) { self.global.append(plan) }
            }
        }
        if type != "Global" { readLocal(node, type, &reading) }
        if isEmpty { return nil }
    }

    private mutating func readLocal(_ node: PolicyNode, _ type: String?, _ reading: inout PolicyReading) {
        let local = node[Key.local]
        if type == "Local", !local.exists { reading.refuse(node, "type is Local, so local must be written") }
        var hasDefault = false
        for rule in local[.rules].items {
            guard let plan = RateLimitRulePlan(rule, &reading) else { continue }
            if plan.selectors.isEmpty {
                if hasDefault {
                    reading.refuse(
                        rule,
                        "only one rule of a local limit may be without clientSelectors; a second one has no meaning")
                }
                hasDefault = true
            }
            self.local.append(plan)
        }
        // By requests a second, as Envoy orders its descriptors; equal ones as they are written.
        let order = self.local.enumerated().sorted { a, b in
            let left = Double(a.element.requests) / Double(a.element.unit.nanoseconds)
            let right = Double(b.element.requests) / Double(b.element.unit.nanoseconds)
            return (left, a.offset) < (right, b.offset)
        }
        self.local = order.map(\.element)
    }

    fileprivate enum Key {
        static let clientSelectors = FieldKey("clientSelectors")
        static let cost = FieldKey("cost")
        static let fromMetadata = FieldKey("fromMetadata")
        static let global = FieldKey("global")
        static let invert = FieldKey("invert")
        static let limit = FieldKey("limit")
        static let local = FieldKey("local")
        static let methods = FieldKey("methods")
        static let number = FieldKey("number")
        static let requests = FieldKey("requests")
        static let response = FieldKey("response")
        static let shadowMode = FieldKey("shadowMode")
        static let shared = FieldKey("shared")
        static let sourceCIDR = FieldKey("sourceCIDR")
        static let unit = FieldKey("unit")
        static let xRateLimitHeaders = FieldKey("xRateLimitHeaders")
    }
}

private typealias Key = RateLimitPlan.Key

extension RateLimitRulePlan {
    /// One entry of `rules`; nil, with the problem told, when it cannot be followed.
    fileprivate init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let limit = node[Key.limit]
        if limit[Key.fromMetadata].exists {
            reading.refuse(
                limit[Key.fromMetadata],
                "not supported by Sluice, which has no dynamic metadata; write requests and unit")
        }
        let name = reading.resource(node).name
        self.init(
            policy: "\(name.namespace)/\(name.name)", requests: UInt32(clamping: limit[Key.requests].integer ?? 0),
            unit: Self.unit(limit[Key.unit].string))
        requestCost = Self.cost(node[Key.cost][.request], &reading) ?? 1
        responseCost = Self.cost(node[Key.cost][Key.response], &reading) ?? 0
        isShared = node[Key.shared].boolean ?? false
        isShadow = node[Key.shadowMode].boolean ?? false
        switch node[Key.xRateLimitHeaders].string {
        case "Off": fields = .off
        case "DraftVersion03": fields = .draft03
        default: fields = .asListener
        }
        position = reading.position(node)
        for selector in node[Key.clientSelectors].items {
            guard let plan = RateLimitSelectorPlan(selector, &reading) else { return nil }
            selectors.append(plan)
        }
    }

    /// A month has 30 days and a year 365, as Envoy Gateway has it.
    private static func unit(_ name: String?) -> TimeAmount {
        switch name {
        case "Minute": .seconds(60)
        case "Hour": .seconds(3600)
        case "Day": .seconds(86_400)
        case "Week": .seconds(604_800)
        case "Month": .seconds(2_592_000)
        case "Year": .seconds(31_536_000)
        default: .seconds(1)
        }
    }

    private static func cost(_ node: PolicyNode, _ reading: inout PolicyReading) -> UInt32? {
        guard node.exists else { return nil }
        guard node[.from].string != "Metadata", !node[.metadata].exists else {
            reading.refuse(node, "a cost from metadata is not supported by Sluice; write from: Number with a number")
            return nil
        }
        guard let number = node[Key.number].integer else { return nil }
        if (0...Int64(UInt32.max)).contains(number) { return UInt32(number) }
        reading.refuse(node[Key.number], "must be from 0 to \(UInt32.max)")
        return nil
    }
}

extension RateLimitSelectorPlan {
    fileprivate init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        for header in node[.headers].items {
            guard var value = Self.value(header, &reading) else { return nil }
            value.name = value.name.lowercased()
            headers.append(value)
        }
        for parameter in node[.queryParams].items {
            guard let value = Self.value(parameter, &reading) else { return nil }
            queryParams.append(value)
        }
        methods = node[Key.methods].items.map {
            Method(value: $0[.value].string ?? "", isInverted: $0[Key.invert].boolean ?? false)
        }
        if node[.path].exists {
            guard let path = Self.path(node[.path], &reading) else { return nil }
            self.path = path
        }
        let source = node[Key.sourceCIDR]
        guard source.exists else { return }
        guard let range = source[.value].string.flatMap({ AddressRange($0) }) else {
            reading.refuse(
                source[.value], "'\(source[.value].string ?? "")' is no range of addresses such as '192.168.0.0/16'")
            return nil
        }
        self.source = Source(
            range: range, isDistinct: source[.type].string == "Distinct",
            isInverted: source[Key.invert].boolean ?? false)
    }

    /// A header or a query parameter.
    private static func value(_ node: PolicyNode, _ reading: inout PolicyReading) -> Value? {
        var value = Value(name: node[.name].string ?? "", kind: .exact, isInverted: node[Key.invert].boolean ?? false)
        switch node[.type].string {
        case "Distinct":
            value.kind = .distinct
            if value.isInverted {
                reading.refuse(
                    node[Key.invert], "a Distinct match has no value that could be inverted; leave invert out")
                return nil
            }
            return value
        case "RegularExpression": value.kind = .regularExpression
        default: break
        }
        guard let text = node[.value].string else {
            reading.refuse(node, "value is missing; only a Distinct match has none")
            return nil
        }
        value.value = text
        guard value.kind != .regularExpression || isExpression(text, node[.value], &reading) else { return nil }
        return value
    }

    private static func path(_ node: PolicyNode, _ reading: inout PolicyReading) -> Path? {
        let kind: PathKind =
            switch node[.type].string {
            case "Exact": .exact
            case "RegularExpression": .regularExpression
            default: .prefix
            }
        let value = node[.value].string ?? "/"
        guard kind != .regularExpression || isExpression(value, node[.value], &reading) else { return nil }
        return Path(kind: kind, value: value, isInverted: node[Key.invert].boolean ?? false)
    }

    private static func isExpression(_ text: String, _ node: PolicyNode, _ reading: inout PolicyReading) -> Bool {
        guard let why = RegularExpressions.problem(text) else { return true }
        reading.refuse(node, "'\(text)' is no regular expression: \(why)")
        return false
    }
}
