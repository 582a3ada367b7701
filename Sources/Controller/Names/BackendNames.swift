import Config
import Core
import IO
import Names
import Telemetry

/// The host names of backends and what they stand for: looked up, kept fresh, and kept when DNS fails.
final class BackendNames {
    /// An answer is used for its time to live, within these bounds.
    static let shortestLife = TimeAmount.seconds(1)
    static let longestLife = TimeAmount.seconds(300)
    /// How long it is used where its time to live is not obeyed and no policy says how long (BackendTrafficPolicy
    /// `dns.dnsRefreshRate`).
    static let refreshRate = TimeAmount.seconds(30)
    /// After a failure the next attempt waits this long, doubled for each that follows, up to `longestRetry`.
    static let firstRetry = TimeAmount.seconds(1)
    static let longestRetry = TimeAmount.seconds(30)
    /// Addresses of one name that are used.
    static let addressLimit = 64

    /// Between two words about a name that has no answer.
    static let reminder = TimeAmount.seconds(600)

    /// A name without an answer.
    struct Unanswered: Equatable {
        /// As it is asked for: of a service with its labels.
        var name: String
        /// The resolver's words.
        var reason: String
        /// Those of the last answer that are still used; 0: there was none.
        var addressesKept: Int
    }

    /// What is asked: names that differ in their port alone are asked once.
    struct Question: Hashable {
        var name: String
        /// Of SRV records; empty: the addresses of the name itself.
        var service: String
        var dns: DNSPlan

        init(_ plan: DNSNamePlan) {
            name = plan.name
            service = plan.service
            dns = plan.dns
        }

        var text: String { service.isEmpty ? name : "\(service).\(name)" }
    }
    /// One place that a name stands for.
    struct Place: Hashable {
        var address: IPAddress
        /// Of an SRV record; nil: the manifest's.
        var port: UInt16?
        /// Lower comes first (RFC 2782); 0 where there is no SRV record.
        var priority: UInt16 = 0
        var weight: UInt16 = 1
    }

    /// Addresses behind some name are others than before.
    var onChange: (() -> Void)?
    /// A name is looked up without an answer: the first time, and then each ``reminder``.
    var onTrouble: ((Unanswered) -> Void)?
    /// It has an answer again.
    var onEndOfTrouble: ((_ name: String) -> Void)?
    private let loop: EventLoop
    private let resolver: NameResolver
    private let statistics: ControllerStatistics
    private var entries: [Question: Entry] = [:]
    private var patience: Patience?

    private final class Entry: Timed {
        let question: Question
        unowned let table: BackendNames
        var places: [Place] = []
        var isAnswered = false
        var failures = 0
        /// Nil: the last answer was one.
        var trouble: String?
        /// Not before then it is told again.
        var nextWord = Instant(nanoseconds: 0)

        var unanswered: Unanswered? {
            trouble.map { Unanswered(name: question.text, reason: $0, addressesKept: places.count) }
        }

        init(_ question: Question, _ table: BackendNames) {
            self.question = question
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
    func want(_ names: Set<Question>) {
        for (question, entry) in entries where !names.contains(question) {
            loop.clearDeadline(entry)
            entries[question] = nil
        }
        for question in names where entries[question] == nil {
            let entry = Entry(question, self)
            entries[question] = entry
            lookUp(entry)
        }
    }

    /// In an order that does not depend on that of the answers; empty while nothing is known.
    func places(of name: DNSNamePlan) -> [Place] { entries[Question(name)]?.places ?? [] }

    /// The names that have no answer now, by name.
    var unanswered: [Unanswered] {
        entries.values.compactMap(\.unanswered).sorted { ($0.name, $0.reason) < ($1.name, $1.reason) }
    }

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
        NameLookup.ask(entry.question, resolver) { [weak self, weak entry] answer in
            // Not wanted any more.
            guard let self, let entry, entries[entry.question] === entry else { return }
            answered(entry, answer)
        }
    }

    private func answered(_ entry: Entry, _ answer: NameLookup.Answer) {
        let isFirst = !entry.isAnswered
        entry.isAnswered = true
        switch answer {
        case .places(let found, let life):
            entry.failures = 0
            if entry.trouble != nil {
                entry.trouble = nil
                onEndOfTrouble?(entry.question.text)
            }
            loop.setDeadline(entry, loop.now + Self.life(life, entry.question.dns))
            let sorted = Array(Set(found).sorted { $0.order < $1.order }.prefix(Self.addressLimit))
            let isChanged = sorted != entry.places
            entry.places = sorted
            // While somebody waits for first answers, the addresses are taken up by what is published then.
            if isChanged, patience == nil || !isFirst { onChange?() }
        case .failed(let reason):
            let isNews = entry.trouble == nil || loop.now >= entry.nextWord
            entry.trouble = reason
            if isNews, let unanswered = entry.unanswered {
                entry.nextWord = loop.now + Self.reminder
                onTrouble?(unanswered)
            }
            // What was known stays in use: an old address serves better than none.
            statistics[.dnsFailures] += 1
            let delay = Self.firstRetry.nanoseconds << Int64(min(entry.failures, 10))
            entry.failures += 1
            loop.setDeadline(entry, loop.now + min(.nanoseconds(delay), Self.longestRetry))
        }
        if patience != nil, entries.values.allSatisfy(\.isAnswered) { patienceEnded() }
    }

    /// How long an answer is used. A rate that is written is a bound for the time to live, too: nobody asks more rarely
    /// than they said.
    static func life(_ life: TimeAmount, _ dns: DNSPlan) -> TimeAmount {
        guard dns.respectDnsTtl else { return max(dns.dnsRefreshRate ?? refreshRate, shortestLife) }
        return min(max(life, shortestLife), dns.dnsRefreshRate.map { max($0, shortestLife) } ?? longestLife)
    }
}

extension BackendNames.Place {
    fileprivate var order: (UInt16, UInt64, UInt64, UInt16, UInt16) {
        (priority, address.high, address.low, port ?? 0, weight)
    }
}
