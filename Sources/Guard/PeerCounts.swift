import Core

/// How many relayed connections come from each address of another machine.
///
/// Guards that name each other in a ring would pass one connection round without end, and nothing in its octets tells. A machine
/// that has as many connections here as one may have gets no more: the connection ends, and with it all its rounds.
struct PeerCounts {
    private var counts: [IPAddress: Int] = [:]

    /// - Parameters:
    ///   - limit: of one address.
    ///   - isOwn: whether it is this machine's, which may have any number; asked only where that matters.
    /// - Returns: false, and nothing is counted, when it has as many as it may have.
    mutating func take(_ ip: IPAddress, limit: Int, isOwn: (IPAddress) -> Bool) -> Bool {
        let count = counts[ip] ?? 0
        if count >= limit, !isOwn(ip) { return false }
        counts[ip] = count + 1
        return true
    }

    mutating func give(_ ip: IPAddress) {
        guard let count = counts[ip] else { preconditionFailure("more relays ended than began") }
        counts[ip] = count > 1 ? count - 1 : nil
    }

    func count(of ip: IPAddress) -> Int { counts[ip] ?? 0 }
}
