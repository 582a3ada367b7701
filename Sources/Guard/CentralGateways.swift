import Core

/// Which central gateway is asked first: in the order in which they were named, those that failed just now last.
///
/// Nothing is probed: connections tell. So a guard that has nothing to do does nothing.
struct CentralGateways {
    private var resting: [SocketAddress: Instant] = [:]

    /// The order in which to ask.
    func order(_ named: [SocketAddress], now: Instant) -> [SocketAddress] {
        let isResting = { (address: SocketAddress) in (resting[address] ?? Instant(nanoseconds: 0)) > now }
        return named.filter { !isResting($0) } + named.filter(isResting)
    }

    /// It could not be connected to. True: it could be until now.
    mutating func failed(_ address: SocketAddress, now: Instant) -> Bool {
        resting.updateValue(now + GuardLimits.rest, forKey: address) == nil
    }

    /// It was connected to. True: it could not be until now.
    mutating func answered(_ address: SocketAddress) -> Bool {
        resting.isEmpty ? false : resting.removeValue(forKey: address) != nil
    }
}
