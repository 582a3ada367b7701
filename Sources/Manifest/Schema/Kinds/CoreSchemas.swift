import Core

/// Namespace (core v1).
enum NamespaceSchema {
    static let fields = [optional("spec", .object([optional("finalizers", .strings)]))]
}

/// Secret (core v1).
enum SecretSchema {
    static let fields = [
        optional("type", .string),
        optional("data", .map(of: .text(0 ... .max, .base64), rules: [DataRules.keys])),
        optional("stringData", .map(of: .text(), rules: [DataRules.keys])),
        optional("immutable", .boolean),
    ]
}

/// ConfigMap (core v1).
enum ConfigMapSchema {
    static let fields = [
        optional("data", .map(of: .text(), rules: [DataRules.keys])),
        optional("binaryData", .map(of: .text(0 ... .max, .base64), rules: [DataRules.keys])),
        optional("immutable", .boolean),
    ]
}

enum DataRules {
    static let key = TextFormat(
        description: "a key: up to 253 letters, digits, '-', '_' and '.', but not '.' or '..'",
        matches: { text in
            guard (1...253).contains(text.count), !text.equals("."), !text.hasPrefix(ByteView("..")) else {
                return false
            }
            return text.allSatisfy {
                TextFormat.isAlphanumeric($0) || $0 == 0x2D || $0 == 0x5F || $0 == ASCII.dot
            }
        })

    static let keys: Rule = { map, report in
        for (name, value) in map.fields where !key.matches(name) {
            report.refuse(value, "'\(name.excerpt)' is not \(key.description)")
        }
    }
}
