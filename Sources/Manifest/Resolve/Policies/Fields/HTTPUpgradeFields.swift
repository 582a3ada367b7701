import Config
import Core
import HTTP

extension HTTPUpgradePlan {
    /// BackendTrafficPolicy `httpUpgrade`; nil: nothing is said, so websocket.
    init?(_ node: PolicyNode, _ reading: inout PolicyReading) {
        guard node.exists else { return nil }
        var types: [String] = []
        for item in node.items {
            let type = (item[.type].string ?? "").lowercased()
            if type == "connect" {
                // Answered 501 whatever a policy says. Envoy Gateway accepts a policy that ends CONNECT here, and so do
                // we, with a warning about the field; passing CONNECT on to a backend is refused.
                if item[.connect][.terminate].boolean != true {
                    reading.refuse(item[.type], "CONNECT is not supported by Sluice; leave it out")
                }
                continue
            }
            guard !type.isEmpty, type.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != ASCII.comma }) else {
                reading.refuse(item[.type], "'\(type)' is no protocol's name; write one such as websocket")
                continue
            }
            guard type != "h2c" else {
                reading.refuse(
                    item[.type], "h2c is not supported by Sluice as an upgrade: HTTP/2 begins with its preface")
                continue
            }
            types.append(type)
        }
        self.init(types: types)
    }
}
