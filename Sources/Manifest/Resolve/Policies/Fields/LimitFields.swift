import Config
import Core
import HTTP

private enum Key {
    static let admissionControl = FieldKey("admissionControl")
    static let grpc = FieldKey("grpc")
    static let http = FieldKey("http")
    static let limit = FieldKey("limit")
    static let maxRejectionPercent = FieldKey("maxRejectionPercent")
    static let minRequestRate = FieldKey("minRequestRate")
    static let minSuccessRate = FieldKey("minSuccessRate")
    static let prefix = FieldKey("prefix")
    static let rejectionAggression = FieldKey("rejectionAggression")
    static let response = FieldKey("response")
    static let responseTrailers = FieldKey("responseTrailers")
    static let samplingWindow = FieldKey("samplingWindow")
    static let statusCodes = FieldKey("statusCodes")
    static let successCriteria = FieldKey("successCriteria")
    static let unit = FieldKey("unit")
}

extension AdmissionControlPlan {
    /// Reads `admissionControl`.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        self.init()
        if let window = reading.duration(node[Key.samplingWindow]) {
            samplingWindow = .seconds(max(1, window.milliseconds / 1000))
        }
        minSuccessRate = UInt8(clamping: node[Key.minSuccessRate].integer ?? 95)
        minRequestRate = UInt32(clamping: node[Key.minRequestRate].integer ?? 0)
        maxRejectionPercent = UInt8(clamping: node[Key.maxRejectionPercent].integer ?? 80)
        rejectionAggression = UInt32(clamping: node[Key.rejectionAggression].integer ?? 1)
        let http = node[Key.successCriteria][Key.http][Key.statusCodes].items
        if !http.isEmpty {
            httpSuccesses = StatusSet()
            for status in http { httpSuccesses.insert(UInt16(clamping: status.integer ?? 0)) }
        }
        let grpc = node[Key.successCriteria][Key.grpc][Key.statusCodes].items
        if !grpc.isEmpty {
            grpcSuccesses = grpc.reduce(0) { $0 | 1 << UInt32(Self.number($1.string)) }
        }
    }

    /// The schema knows no other names.
    private static func number(_ name: String?) -> Int {
        let names = [
            "Ok", "Cancelled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists",
            "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented",
            "Internal", "Unavailable", "DataLoss", "Unauthenticated",
        ]
        return names.firstIndex { $0 == name } ?? 0
    }
}

extension BandwidthLimitPlan {
    /// Reads `bandwidthLimit`.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        self.init()
        request = Self.rate(node[.request][Key.limit], &reading)
        response = Self.rate(node[Key.response][Key.limit], &reading)
        let trailers = node[Key.response][Key.responseTrailers]
        guard trailers.exists else { return }
        let prefix = (trailers[Key.prefix].string ?? "").lowercased()
        if prefix.isEmpty || prefix.withView({ FieldName.isLegal($0) }) {
            trailerPrefix = prefix
        } else {
            reading.refuse(trailers[Key.prefix], "'\(prefix)' cannot begin the name of a field; 'x-eg' could")
        }
    }

    /// Octets a second, one at least; 0 where nothing is limited.
    private static func rate(_ limit: PolicyNode, _ reading: inout PolicyReading) -> UInt64 {
        guard limit.exists else { return 0 }
        guard let octets = Quantity.octets(limit[.value]), octets > 0 else {
            reading.refuse(limit[.value], "must be a number of octets above 0, such as '10Mi'")
            return 0
        }
        let seconds: UInt64 =
            switch limit[Key.unit].string {
            case "Minute": 60
            case "Hour": 3600
            default: 1
            }
        return max(1, UInt64(octets) / seconds)
    }
}

extension AdaptiveConcurrencyPlan {
    static let annotation = "sluice.dev/adaptive-concurrency"

    /// Reads the annotation of the nearest policy that has it: `on`, `off`, or settings as `maxConcurrency=200, buffer=20`.
    init?(policies spec: PolicyNode, _ reading: inout PolicyReading) {
        for layer in spec.layers {
            let annotations = reading.index.resources[layer.policy].node[.metadata][.annotations]
            guard let text = annotations.entry(Self.annotation) else { continue }
            let node = PolicyNode(annotations, policy: layer.policy)
            guard text != "off" else { return nil }
            self.init()
            for part in text.split(separator: ",") where text != "on" {
                if let why = set(String(part)) {
                    reading.refuse(node, "\(Self.annotation): \(why)")
                    return nil
                }
            }
            if minConcurrency > maxConcurrency {
                reading.refuse(
                    node,
                    "\(Self.annotation): minConcurrency=\(minConcurrency) is more than maxConcurrency=\(maxConcurrency)"
                )
                return nil
            }
            return
        }
        return nil
    }

    /// - Returns: what is wrong; nil: nothing.
    private mutating func set(_ part: String) -> String? {
        let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.trimmed)
        guard sides.count == 2 else {
            return "'\(Self.trimmed(Substring(part)))' is neither on, off, nor a setting such as maxConcurrency=200"
        }
        let (name, text) = (sides[0], sides[1])
        func number(_ bounds: ClosedRange<Int>, _ take: (Int) -> Void) -> String? {
            guard let number = Int(text), bounds.contains(number) else {
                return "\(name)=\(text): must be a number from \(bounds.lowerBound) to \(bounds.upperBound)"
            }
            take(number)
            return nil
        }
        func duration(_ least: TimeAmount, _ take: (TimeAmount) -> Void) -> String? {
            guard let amount = GatewayDuration.parse(text), amount >= least else {
                return "\(name)=\(text): must be a duration of \(least.milliseconds)ms at least, such as 30s"
            }
            take(amount)
            return nil
        }
        switch name {
        case "updateInterval": return duration(.milliseconds(1)) { updateInterval = $0 }
        case "minRTTInterval": return duration(.milliseconds(1)) { minRTTInterval = $0 }
        case "jitter": return number(0...100) { jitter = UInt8($0) }
        case "minRTTRequests": return number(1...1_000_000) { minRTTRequests = UInt32($0) }
        case "minConcurrency": return number(1...1_000_000) { minConcurrency = UInt32($0) }
        case "maxConcurrency": return number(1...1_000_000) { maxConcurrency = UInt32($0) }
        case "buffer": return number(0...100) { buffer = UInt8($0) }
        case "percentile": return number(1...100) { percentile = UInt8($0) }
        default:
            return """
                no setting is named '\(name)'; there are updateInterval, minRTTInterval, jitter, minRTTRequests, \
                minConcurrency, maxConcurrency, buffer and percentile
                """
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}

extension RouteTrafficPlan {
    /// The limits of BackendTrafficPolicy: `rateLimit`, `bandwidthLimit`, `admissionControl`, adaptive concurrency.
    mutating func readLimits(_ spec: PolicyNode, _ reading: inout PolicyReading) {
        rateLimit = RateLimitPlan(spec[FieldKey("rateLimit")], &reading)
        bandwidthLimit = BandwidthLimitPlan(spec[FieldKey("bandwidthLimit")], &reading)
        admissionControl = AdmissionControlPlan(spec[Key.admissionControl], &reading)
        adaptiveConcurrency = AdaptiveConcurrencyPlan(policies: spec, &reading)
    }
}
