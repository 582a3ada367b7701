import Config

/// `sluice.dev/weight`, `sluice.dev/max-connections` and `sluice.dev/max-memory`: of a Service, or of a Gateway for all its members.
enum FairShareAnnotations {
    private static let weight: StaticString = "sluice.dev/weight"
    private static let maxConnections: StaticString = "sluice.dev/max-connections"
    private static let maxMemory: StaticString = "sluice.dev/max-memory"
    /// Less would not hold the buffers of one call.
    static let leastMemory: UInt64 = 256 * 1024

    /// - Parameter defaults: what holds where nothing is written, or nothing that can be used.
    static func read(
        _ resource: LoadedResource, over defaults: FairSharePlan = FairSharePlan(), findings: inout FindingLog
    ) -> FairSharePlan {
        var plan = defaults
        if let written = AnnotationText(weight, of: resource) {
            if let number = UInt32(written.text), (1...FairSharePlan.weightLimit).contains(number) {
                plan.weight = number
            } else {
                refuse(
                    written, of: resource, "write a whole number of shares, 1 to \(FairSharePlan.weightLimit)",
                    &findings)
            }
        }
        if let written = AnnotationText(maxConnections, of: resource) {
            if let number = UInt32(written.text), number > 0 {
                plan.maxConnections = number
            } else {
                refuse(written, of: resource, "write how many calls may be held at once, 1 or more", &findings)
            }
        }
        if let written = AnnotationText(maxMemory, of: resource) {
            if let octets = Self.octets(written.text), octets >= leastMemory {
                plan.maxMemory = octets
            } else {
                refuse(written, of: resource, "write a quantity such as 64Mi, 256Ki or more", &findings)
            }
        }
        return plan
    }

    /// A whole quantity as Kubernetes writes octets: `64Mi`, `1G`, `1048576`.
    private static func octets(_ text: String) -> UInt64? {
        let units: [(suffix: String, octets: UInt64)] = [
            ("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30), ("k", 1000), ("M", 1_000_000), ("G", 1_000_000_000),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let number = UInt64(text.dropLast(unit.suffix.count)) else { return nil }
            let product = number.multipliedReportingOverflow(by: unit.octets)
            return product.overflow ? nil : product.partialValue
        }
        return UInt64(text)
    }

    private static func refuse(
        _ written: AnnotationText, of resource: LoadedResource, _ right: String, _ findings: inout FindingLog
    ) {
        findings.unresolved(resource, written.node, "'\(written.text)' is no value of \(written.name); \(right)")
    }
}
