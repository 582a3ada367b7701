import Core

/// The connection that is asked about.
struct ExplainedConnection {
    /// Without brackets; empty: whatever this machine is called.
    var host: String
    var port: UInt16
    /// It begins TLS and asks for this server; nil: it does not, or nobody says.
    /// Empty: it begins TLS and asks for nobody.
    var serverName: String?
    /// Neither TLS nor requests.
    var isOctets: Bool

    init(target: String, serverName: String?, isOctets: Bool) throws(UsageError) {
        guard let colon = target.lastIndex(of: ":"), !target.hasSuffix("]") else {
            throw UsageError("--connect '\(target)': write HOST:PORT or IP:PORT, such as db.shop:5432")
        }
        let text = String(target[target.index(after: colon)...])
        guard let port = UInt16(text), port > 0 else {
            throw UsageError("--connect '\(target)': the port must be a number from 1 to 65535")
        }
        guard serverName == nil || !isOctets else {
            throw UsageError("--sni says that the connection begins TLS, --tcp that it does not: write one of them")
        }
        var host = String(target[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.contains(":") || IPAddress(host) != nil, !host.contains("/") else {
            throw UsageError("--connect '\(target)': write HOST:PORT, and an IPv6 address as [ADDRESS]:PORT")
        }
        self.host = host.lowercased()
        self.port = port
        self.serverName = serverName?.lowercased()
        self.isOctets = isOctets
    }

    /// TLS, to a host as it was checked before.
    init(host: String, port: UInt16, serverName: String?) {
        self.host = host.lowercased()
        self.port = port
        self.serverName = serverName?.lowercased() ?? ""
        isOctets = false
    }

    /// The address that is dialled; nil: a name.
    var address: IPAddress? { IPAddress(host) }
    var text: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
    var isToThisMachine: Bool { host.isEmpty || host == "localhost" }
}
