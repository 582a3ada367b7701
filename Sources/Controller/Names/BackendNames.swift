import Core
import IO
import Telemetry

/// The host names of backends and what they stand for: looked up, kept fresh, and kept when DNS fails.
final class BackendNames {
    /// An answer is used for its time to live, within these bounds.
    static let shortestLife = TimeAmount.seconds(1)
    static let longestLife = TimeAmount.seconds(300)
    /// After a failure the next attempt waits this long, doubled for each that follows, up to `longestRetry`.
    static let firstRetry = TimeAmount.seconds(1)
    static let longestRetry = TimeAmount.seconds(30)
    /// Addresses of one name that are used.
    static let addressLimit = 64

    /// Addresses behind some name are others than before.
    var onChange: (() -> Void)?
    private let loop: EventLoop
    private let resolver: NameResolver
    private let statistics: ControllerStatistics
    private var entries: [String: Entry] = [:]
    private var patience: Patience?

    private final class Entry: Timed {
        let name: String
        unowned let table: BackendNames
        var addresses: [IPAddress] = []
        var isAnswered = false
        var failures = 0

        init(_ name: String, _ table: BackendNames) {
            self.name = name
            self.table = table
        }

        override func deadlinePassed(now: Instant) { table.lookUp(self) }
    }

    /// Waits for the first answers to all names.
    private final class Patience: Timed {
        let action: () -> Void
        unowned let table: BackendNames

        init(_ table: BackendNames, _ action: @escaping () -> Void) {
            self.table = table
            self.action = action
        }

        override func deadlinePassed(now: Instant) { table.patienceEnded() }
    }

    /// - Parameter server: `IP[:PORT][,…]` to ask instead of those of resolv.conf; nil: the system's.
    init(loop: EventLoop, server: String?, statistics: ControllerStatistics) {
        self.loop = loop
        self.statistics = statistics
        resolver = NameResolver(loop: loop, servers: server)
    }

    /// These names are used from now on, no others. New ones are looked up at once.
    func want(_ names: Set<String>) {
        for (name, entry) in entries where !names.contains(name) {
            loop.clearDeadline(entry)
            entries[name] = nil
        }
        for name in names where entries[name] == nil {
            let entry = Entry(name, self)
            entries[name] = entry
            lookUp(entry)
        }
    }

    /// In an order that does not depend on that of the answers; empty while nothing is known.
    func addresses(of name: String) -> [IPAddress] { entries[name]?.addresses ?? [] }

    /// Calls `action` when every name has been answered, well or not, at the latest after `amount`; perhaps at once.
    func whenAnswered(atMost amount: TimeAmount, _ action: @escaping () -> Void) {
        precondition(patience == nil, "somebody waits for names already")
        guard entries.values.contains(where: { !$0.isAnswered }) else { return action() }
        let patience = Patience(self, action)
        self.patience = patience
        loop.setDeadline(patience, loop.now + amount)
    }

    private func patienceEnded() {
        guard let patience else { return }
        loop.clearDeadline(patience)
        self.patience = nil
        patience.action()
    }

    private func lookUp(_ entry: Entry) {
        statistics[.dnsQueries] += 1
        resolver.lookUp(entry.name) { [weak self, weak entry] answer in
            // Not wanted any more.
            guard let self, let entry, entries[entry.name] === entry else { return }
            answered(entry, answer)
        }
    }

    private func answered(_ entry: Entry, _ answer: NameResolver.Answer) {
        let isFirst = !entry.isAnswered
        entry.isAnswered = true
        switch answer {
        case .addresses(let found, let life):
            entry.failures = 0
            loop.setDeadline(entry, loop.now + min(max(life, Self.shortestLife), Self.longestLife))
            let sorted = Array(
                Set(found).sorted { $0.high == $1.high ? $0.low < $1.low : $0.high < $1.high }.prefix(Self.addressLimit)
            )
            let isChanged = sorted != entry.addresses
            entry.addresses = sorted
            // While somebody waits for first answers, the addresses are taken up by what is published then.
            if isChanged, patience == nil || !isFirst { onChange?() }
        case .failed:
            // What was known stays in use: an old address serves better than none.
            statistics[.dnsFailures] += 1
            let delay = Self.firstRetry.nanoseconds << Int64(min(entry.failures, 10))
            entry.failures += 1
            loop.setDeadline(entry, loop.now + min(.nanoseconds(delay), Self.longestRetry))
        }
        if patience != nil, entries.values.allSatisfy(\.isAnswered) { patienceEnded() }
    }
}
