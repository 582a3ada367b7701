import Config
import Core

extension RequestBufferPlan {
    /// Octets that a limit may be: every buffered request may take as many.
    static let largestLimit: Int64 = 1 << 30

    /// BackendTrafficPolicy `requestBuffer`; nil: none.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        guard node[.limit].exists else {
            reading.refuse(node, "a request buffer needs its limit; write limit, such as 64Ki")
            return nil
        }
        guard let limit = reading.octets(node[.limit], 1...Self.largestLimit) else { return nil }
        self.init(limit: UInt64(limit))
    }
}
