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
            // CONNECT is no upgrade of HTTP/1.1 and is answered 501 whatever a policy says; a warning tells it.
            if type == "connect" { continue }
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
