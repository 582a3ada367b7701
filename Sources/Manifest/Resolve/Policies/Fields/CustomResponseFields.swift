import Config
import Core

extension CustomResponsePlan {
    /// The key of a ConfigMap that is looked for first (HTTPRouteFilter `directResponse.body.valueRef`).
    static let bodyKey = "response.body"

    /// A `response` or `directResponse`. What is wrong is told, and left out.
    init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        self.init(statusCode: nil, contentType: node[.contentType].string ?? "")
        if let status = node[.statusCode].integer {
            if (200...599).contains(status) {
                statusCode = UInt16(status)
            } else {
                reading.refuse(node[.statusCode], "\(status) is no status of a response; 200 to 599 are")
            }
        }
        if !Self.isFieldValue(contentType) {
            reading.refuse(node[.contentType], "it is no field's value: it has octets that end a line")
            contentType = ""
        }
        for (key, action) in [(FieldKey.set, HeaderEditPlan.Action.set), (.add, .add)] {
            for item in node[.header][key].items { add(item, action, &reading) }
        }
        if node[.body].exists { body = Self.body(node[.body], &reading) }
    }

    private mutating func add(_ item: PolicyNode, _ action: HeaderEditPlan.Action, _ reading: inout PolicyReading) {
        let edit = HeaderEditPlan(action, name: item[.name].string ?? "", value: item[.value].string ?? "")
        if let refusal = edit.refusal {
            reading.refuse(item[.name], "'\(edit.name)' cannot be set: \(refusal)")
        } else if Self.isFieldValue(edit.value) {
            headers.append(edit)
        } else {
            reading.refuse(item[.value], "it is no field's value: it has octets that end a line")
        }
    }

    /// What a line of a head can hold (RFC 9110, section 5.5).
    private static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == ASCII.tab }
    }

    private static func body(_ node: PolicyNode, _ reading: inout PolicyReading) -> [BodyPart] {
        let text: String
        let place: PolicyNode
        if node[.type].string == "ValueRef" {
            place = node[.valueRef]
            guard let found = configMapText(place, &reading) else { return [] }
            text = found
        } else {
            place = node[.inline]
            text = place.string ?? ""
        }
        guard text.utf8.count <= bodyLimit else {
            reading.refuse(place, "the body has \(text.utf8.count) octets; \(bodyLimit) are the most")
            return []
        }
        switch BodyTemplate.parse(text) {
        case .success(let parts): return parts
        case .failure(let problem):
            reading.refuse(place, problem.message)
            return []
        }
    }

    private static func configMapText(_ reference: PolicyNode, _ reading: inout PolicyReading) -> String? {
        let home = reading.resource(reference).name.namespace
        let name = ResourceName(namespace: home, name: reference[.name].string ?? "")
        guard let number = reading.index[.configMap, name] else {
            reading.refuse(reference, "there is no ConfigMap '\(name)'")
            return nil
        }
        let data = reading.index.resources[number].node[.data]
        if let text = data.entry(bodyKey) { return text }
        // Envoy Gateway takes the first value of a map that has no order; the least key is the same every time.
        let least = data.fields.map { ($0.name.string, $0.value.string ?? "") }.min { $0.0 < $1.0 }
        guard let least else {
            reading.refuse(reference, "the ConfigMap '\(name)' has no '\(bodyKey)' in its data, and nothing else")
            return nil
        }
        return least.1
    }
}
