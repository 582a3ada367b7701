import Config
import Core

private enum Keys {
    static let consistentHash = FieldKey("consistentHash")
    static let cookie = FieldKey("cookie")
    static let header = FieldKey("header")
    static let ttl = FieldKey("ttl")
    static let attributes = FieldKey("attributes")
    static let tableSize = FieldKey("tableSize")
    static let slowStart = FieldKey("slowStart")
    static let window = FieldKey("window")
    static let zoneAware = FieldKey("zoneAware")
    static let preferLocal = FieldKey("preferLocal")
    static let force = FieldKey("force")
    static let minEndpointsInZoneThreshold = FieldKey("minEndpointsInZoneThreshold")
    static let minEndpointsThreshold = FieldKey("minEndpointsThreshold")
    static let percentageEnabled = FieldKey("percentageEnabled")
    static let weightedZones = FieldKey("weightedZones")
    static let zone = FieldKey("zone")
    static let endpointOverride = FieldKey("endpointOverride")
    static let extractFrom = FieldKey("extractFrom")
}

extension LoadBalancerPlan {
    /// On a BackendTrafficPolicy: an algorithm that Envoy Gateway's schema has no word for.
    static let annotation = "sluice.dev/load-balancer"

    /// - Parameter spec: of the policies; the annotation is the nearest policy's that has it.
    init(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        self.init()
        let node = spec[FieldKey("loadBalancer")]
        let type = node[.type]
        switch type.string {
        case "RoundRobin": algorithm = .roundRobin
        case "Random": algorithm = .random
        case "ConsistentHash":
            algorithm = .consistentHash
            hash = HashKeyPlan(node[Keys.consistentHash], &reading)
        // Load reports are not read; without any Envoy's policy takes turns, too.
        case "BackendUtilization": algorithm = .roundRobin
        case "DynamicModule":
            reading.refuse(
                type,
                "'\(type.string ?? "")' is not supported by Sluice; use LeastRequest, RoundRobin, Random or ConsistentHash"
            )
        default: break
        }
        slowStart = reading.duration(node[Keys.slowStart][Keys.window]) ?? .zero
        zones = ZonePlan(node[Keys.zoneAware], &reading)
        for item in node[Keys.endpointOverride][Keys.extractFrom].items {
            guard let name = item[Keys.header].string, !name.isEmpty else { continue }
            overrideHeaders.append(name.lowercased())
        }
        readAnnotation(spec, type, &reading)
    }

    private mutating func readAnnotation(_ spec: PolicyNode, _ type: PolicyNode, _ reading: inout PolicyReading) {
        for layer in spec.layers {
            let written = reading.index.resources[layer.policy].node[.metadata][.annotations].entry(Self.annotation)
            guard let written else { continue }
            guard written == "PeakEWMA" else {
                return reading.refuse(
                    PolicyNode(layer.node, policy: layer.policy),
                    "the annotation \(Self.annotation) is '\(written)'; 'PeakEWMA' is the one value that it may have")
            }
            guard algorithm == .leastRequest else {
                return reading.refuse(
                    type,
                    "the annotation \(Self.annotation) asks for PeakEWMA, and the type for another; leave one of them out"
                )
            }
            algorithm = .peakEWMA
            return
        }
    }
}

extension HashKeyPlan {
    fileprivate init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        let size = UInt32(clamping: node[Keys.tableSize].integer ?? Int64(Self.defaultTableSize))
        func written(_ list: PolicyNode) -> [String] { list.items.compactMap { $0[.name].string } }
        switch node[.type].string {
        case "Header":
            self.init(.headers, names: [(node[Keys.header][.name].string ?? "").lowercased()], tableSize: size)
        case "Headers": self.init(.headers, names: written(node[.headers]).map { $0.lowercased() }, tableSize: size)
        case "QueryParams": self.init(.queryParams, names: written(node[.queryParams]), tableSize: size)
        case "Cookie":
            let cookie = node[Keys.cookie]
            self.init(
                .cookie, names: [cookie[.name].string ?? ""],
                cookieAttributes: Self.attributes(of: cookie, &reading), tableSize: size)
        default: self.init(.sourceIP, tableSize: size)
        }
        if source != .sourceIP, names.isEmpty || names.contains("") || !names.allSatisfy(Self.isToken) {
            reading.refuse(node, "each name to hash must be one that a field, a cookie or a parameter can have")
        }
    }

    /// A parameter's name may be anything; what is no token can at least be written into no head.
    private static func isToken(_ name: String) -> Bool {
        name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "=") && $0 != ASCII.semicolon }
    }

    /// `Max-Age` from `ttl`, then the attributes by name. Without a ttl it is a cookie of the browser's session.
    private static func attributes(of cookie: PolicyNode, _ reading: inout PolicyReading) -> String {
        var text = ""
        if let ttl = reading.duration(cookie[Keys.ttl]), ttl > .zero {
            text += "; Max-Age=\(max(1, (ttl.milliseconds + 999) / 1000))"
        }
        let written = cookie[Keys.attributes]
        let pairs = written.fields.map { ($0.name, $0.value.text.string) }.sorted { $0.0 < $1.0 }
        for (name, value) in pairs {
            guard (name + value).utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != ASCII.semicolon }), !name.isEmpty
            else {
                reading.refuse(written, "'\(name)' and its value cannot stand in a Set-Cookie field")
                continue
            }
            text += value.isEmpty ? "; \(name)" : "; \(name)=\(value)"
        }
        return text
    }
}

extension ZonePlan {
    fileprivate init(_ node: PolicyNode, _ reading: inout PolicyReading) {
        self = .all
        let local = node[Keys.preferLocal]
        if local.exists {
            var plan = PreferLocalPlan()
            let least = local[Keys.minEndpointsThreshold]
            if let number = reading.count(least, upTo: Int64(UInt32.max)) { plan.minEndpoints = UInt64(number) }
            if let number = local[Keys.percentageEnabled].integer { plan.percentage = UInt32(clamping: number) }
            let force = local[Keys.force]
            if force.exists {
                plan.forceMinimum = max(
                    1, UInt32(clamping: reading.count(force[Keys.minEndpointsInZoneThreshold]) ?? 1))
            }
            self = .preferLocal(plan)
        }
        let weighted = node[Keys.weightedZones]
        guard weighted.exists, !weighted.items.isEmpty else { return }
        self = .weighted(
            weighted.items.map { item in
                ZoneWeightPlan(
                    zone: item[Keys.zone].string ?? "",
                    weight: UInt32(clamping: reading.count(item[.weight]) ?? 1))
            })
    }
}
