import Config
import Core

/// Numbers of policies, with what is refused about them.
extension PolicyReading {
    /// A number of octets; nil when absent, or refused because it is not within `bounds`.
    mutating func octets(_ node: PolicyNode, _ bounds: ClosedRange<Int64>) -> UInt32? {
        guard node.exists else { return nil }
        if let octets = Quantity.octets(node), bounds.contains(octets) { return UInt32(clamping: octets) }
        refuse(node, "must be from \(bounds.lowerBound) to \(bounds.upperBound) octets")
        return nil
    }

    /// A count that is not below zero.
    mutating func count(_ node: PolicyNode, upTo limit: Int64 = Int64(Int32.max)) -> Int64? {
        guard let number = node.integer else { return nil }
        if (0...limit).contains(number) { return number }
        refuse(node, "must be from 0 to \(limit)")
        return nil
    }

    mutating func duration(_ node: PolicyNode) -> TimeAmount? {
        guard node.exists else { return nil }
        if let amount = node.string.flatMap({ GatewayDuration.parse($0) }) { return amount }
        refuse(node, "'\(node.string ?? "")' is no duration such as '10s' or '1m30s'")
        return nil
    }

    /// Whole seconds, rounded up, as the kernel takes them.
    mutating func seconds(_ node: PolicyNode, upTo limit: Int64) -> UInt32? {
        guard let amount = duration(node) else { return nil }
        let seconds = (amount.milliseconds + 999) / 1000
        if (1...limit).contains(seconds) { return UInt32(seconds) }
        refuse(node, "must be from 1s to \(limit)s")
        return nil
    }

    mutating func timeout(_ node: PolicyNode) -> TimeoutPlan {
        duration(node).map { TimeoutPlan($0, position(node)) } ?? TimeoutPlan()
    }
}
