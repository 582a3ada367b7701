/// How requests are shared out among zones. Pure arithmetic; shares are fractions of 1.
public enum ZoneShares {
    /// Endpoints of one zone.
    public struct Zone: Equatable, Sendable {
        public var number: UInt32
        public var total: Int
        public var usable: Int
        public init(number: UInt32, total: Int, usable: Int) {
            self.number = number
            self.total = total
            self.usable = usable
        }
    }
    /// Envoy's: a zone whose endpoints are healthy to 72 % has its whole share still.
    public static let overprovisioning = 1.4

    /// `weightedZones`: by weight, less what a zone's health does not allow.
    /// - Returns: nil when no zone with a usable endpoint has a weight.
    public static func weighted(_ zones: [Zone], weight: (UInt32) -> UInt32) -> [Double]? {
        let shares = zones.map { zone in
            Double(weight(zone.number)) * min(1, overprovisioning * Double(zone.usable) / Double(max(1, zone.total)))
        }
        let sum = shares.reduce(0, +)
        return sum > 0 ? shares.map { $0 / sum } : nil
    }

    /// `preferLocal`: as much as possible stays in the own zone, while endpoints of all zones have the same load if gateways
    /// are as many in each zone. Envoy knows how many there are; a gateway alone does not, so it takes them to be even.
    /// - Parameter local: the own zone's place in `zones`, which has a usable endpoint.
    public static func preferLocal(_ zones: [Zone], local: Int) -> [Double] {
        var shares = zones.map { _ in 0.0 }
        let usable = Double(max(1, zones.reduce(0) { $0 + $1.usable }))
        // What each zone's gateways send.
        let origin = 1 / Double(zones.count)
        let parts = zones.map { Double($0.usable) / usable }
        let kept = min(1, parts[local] / origin)
        shares[local] = kept
        guard kept < 1 else { return shares }
        // The rest goes where endpoints have more capacity than their own zone's gateways need.
        let residual = zones.indices.map { $0 == local ? 0 : max(0, parts[$0] - origin) }
        let sum = residual.reduce(0, +)
        for each in zones.indices where sum > 0 { shares[each] += (1 - kept) * residual[each] / sum }
        return shares
    }
}
