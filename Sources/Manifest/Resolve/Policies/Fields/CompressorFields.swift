import Config
import Core
import HTTP

extension CompressorPlan {
    /// BackendTrafficPolicy `compressor`, or `compression`, its older name. Of a coding that is named twice the first entry
    /// counts.
    static func all(_ spec: PolicyNode, _ reading: inout PolicyReading) -> [CompressorPlan] {
        let list = spec[.compressor].exists ? spec[.compressor] : spec[.compression]
        var plans: [CompressorPlan] = []
        for item in list.items {
            let coding: ContentCoding
            switch item[.type].string {
            case "Brotli": coding = .brotli
            case "Zstd": coding = .zstd
            default: coding = .gzip
            }
            var plan = CompressorPlan(coding)
            let least = item[.minContentLength]
            if least.exists {
                // Envoy's bounds.
                guard let octets = reading.octets(least, Int64(leastContentLength)...Int64(UInt32.max)) else {
                    continue
                }
                plan.minContentLength = UInt64(octets)
            }
            if !plans.contains(where: { $0.coding == coding }) { plans.append(plan) }
        }
        return plans
    }
}
