import Core

/// What Gateway and ListenerSet ask of their fields beyond the shape.
enum GatewayRules {
    // MARK: formats

    /// `Hostname`, `IPAddress`, `NamedAddress`, or a name of one's own with a domain. The pattern's ends bind only its
    /// outer alternatives, so much more passes than it seems to mean.
    static let addressType = TextFormat(
        description: "an address type: 'IPAddress', 'Hostname', 'NamedAddress' or 'example.com/own'",
        matches: { text in
            if text.hasPrefix(ByteView("Hostname")) || text.contains("IPAddress") || text.contains("NamedAddress") {
                return true
            }
            for slash in text.indices.dropFirst() where text[slash] == ASCII.slash {
                let rest = text.from(slash + 1)
                if isLowerAlphanumeric(text[slash - 1]), !rest.isEmpty, rest.allSatisfy(TextFormat.isPathOctet) {
                    return true
                }
            }
            return false
        })

    /// `HTTP` and the like, or a name of one's own with a domain, which may have anything before it.
    static let protocolName = TextFormat(
        description: "a protocol: 'HTTP', 'HTTPS', 'TLS', 'TCP', 'UDP' or 'example.com/own'",
        matches: { text in
            if let slash = text.lastIndex(of: ASCII.slash) {
                let rest = text.from(slash + 1)
                return slash > 0 && isLowerAlphanumeric(text[slash - 1]) && !rest.isEmpty
                    && rest.allSatisfy(TextFormat.isAlphanumeric)
            }
            guard text.count > 0, text[0] != 0x2D, text[text.count - 1] != 0x2D else { return false }
            return text.allSatisfy { TextFormat.isAlphanumeric($0) || $0 == 0x2D }
        })

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool { byte &- 0x61 < 26 || ASCII.isDigit(byte) }

    // MARK: addresses

    static let addressValue: Rule = { address, report in
        let value = address["value"]
        guard value.exists else { return }
        if address["type"].equals("IPAddress"), IPAddress(value.text) == nil {
            report.refuse(value, "'\(value.text.string)' is no IP address; write one, or another type")
        }
        if address["type"].equals("Hostname"), !TextFormat.hostname.matches(value.text) {
            report.refuse(value, "'\(value.text.string)' is not \(TextFormat.hostname.description)")
        }
    }

    static let distinctAddresses: Rule = { addresses, report in
        guard addresses.count > 1 else { return }
        var seen: [String: Int] = [:]
        for (position, address) in addresses.items.enumerated() {
            let type = address["type"].text.string
            guard type == "IPAddress" || type == "Hostname", address["value"].exists else { continue }
            let value = address["value"].text.string
            guard let first = seen.updateValue(position, forKey: type + "\0" + value) else { continue }
            report.refuse(
                address["value"], "\(type) values must be unique; '\(value)' stands in item \(first) already")
        }
    }

    // MARK: infrastructure

    /// Keys of annotations and labels; the prefix must be shorter here than Kubernetes' own 253.
    static let qualifiedKeys: Rule = { map, report in
        for (name, value) in map.fields {
            let prefix = name.firstIndex(of: ASCII.slash) ?? name.count
            if !TextFormat.isQualifiedName(name) || prefix >= 253 {
                report.refuse(value, "'\(name.excerpt)' is not \(TextFormat.qualifiedName.description)")
            }
        }
    }

    // MARK: listeners

    static let listeners: [Rule] = [tlsOfProtocol, hostnameOfProtocol, distinctListeners]

    private static func isAny(_ node: Node, of names: StaticString...) -> Bool { names.contains { node.equals($0) } }

    private static let tlsOfProtocol: Rule = { listeners, report in
        for listener in listeners.items {
            let name = listener["protocol"]
            let tls = listener["tls"]
            if tls.exists, isAny(name, of: "HTTP", "TCP", "UDP") {
                report.refuse(
                    tls, "tls must not be specified for the protocol \(name.text.string); HTTPS and TLS take it")
            }
            if tls.exists, name.equals("HTTPS"), !tls["mode"].equals("Terminate") {
                report.refuse(tls, field: "mode", "tls mode must be Terminate for the protocol HTTPS")
            }
            if !tls.exists, name.equals("TLS") {
                report.refuse(listener, field: "tls", "tls mode must be set for the protocol TLS")
            }
        }
    }

    private static let hostnameOfProtocol: Rule = { listeners, report in
        for listener in listeners.items
        where listener["hostname"].exists && isAny(listener["protocol"], of: "TCP", "UDP") {
            report.refuse(
                listener["hostname"],
                "hostname must not be specified for the protocol \(listener["protocol"].text.string)")
        }
    }

    private static let distinctListeners: Rule = { listeners, report in
        guard listeners.count > 1 else { return }
        var seen: [String: Int] = [:]
        for (position, listener) in listeners.items.enumerated() {
            let parts = [listener["port"], listener["protocol"], listener["hostname"]]
            let number = listener["port"].integer ?? 0
            let identity = "\(number)\0\(parts[1].text.string)\0\(parts[2].text.string)"
            guard let first = seen.updateValue(position, forKey: identity) else { continue }
            report.refuse(
                listener,
                "the combination of port, protocol and hostname must be unique; listener \(first) has the same")
        }
    }

    static let certificate: Rule = { tls, report in
        guard tls["mode"].equals("Terminate"), tls["certificateRefs"].count == 0, tls["options"].count == 0 else {
            return
        }
        report.refuse(
            tls, field: "certificateRefs", "certificateRefs or options must be specified when mode is Terminate")
    }
}
