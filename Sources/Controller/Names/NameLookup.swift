import Config
import Core
import Names

/// One question about a backend's name with all that belongs to it: for a service first its SRV records, then the addresses
/// of each of their hosts.
final class NameLookup {
    enum Answer {
        /// - Parameter life: the shortest time to live among the records.
        case places([BackendNames.Place], life: TimeAmount)
        case failed(String)
    }

    private let question: BackendNames.Question
    private let done: (Answer) -> Void
    private var places: [BackendNames.Place] = []
    private var life: TimeAmount
    private var unanswered = 0

    /// `done` is called once, perhaps before this returns.
    static func ask(_ question: BackendNames.Question, _ resolver: NameResolver, _ done: @escaping (Answer) -> Void) {
        guard !question.service.isEmpty else {
            resolver.lookUp(question.name, question.dns.family) { answer in
                switch answer {
                case .addresses(let found, let life):
                    done(.places(found.map { BackendNames.Place(address: $0) }, life: life))
                case .failed(let reason): done(.failed(reason))
                }
            }
            return
        }
        resolver.lookUpServices("\(question.service).\(question.name)") { answer in
            switch answer {
            case .services(let records, let life):
                // Kept alive by the questions that it asks.
                NameLookup(question, life, done).ask(records, resolver)
            case .failed(let reason): done(.failed(reason))
            }
        }
    }

    private init(_ question: BackendNames.Question, _ life: TimeAmount, _ done: @escaping (Answer) -> Void) {
        self.question = question
        self.life = life
        self.done = done
    }

    private func ask(_ records: [ServiceRecord], _ resolver: NameResolver) {
        unanswered = records.count
        for record in records {
            resolver.lookUp(record.target, question.dns.family) { [self] answer in
                if case .addresses(let found, let life) = answer {
                    self.life = min(self.life, life)
                    places += found.map {
                        BackendNames.Place(
                            address: $0, port: record.port, priority: record.priority, weight: max(record.weight, 1))
                    }
                }
                unanswered -= 1
                if unanswered == 0 {
                    done(places.isEmpty ? .failed("no addresses of its services") : .places(places, life: life))
                }
            }
        }
    }
}

extension DNSPlan {
    fileprivate var family: NameResolver.Family {
        switch lookupFamily {
        case nil, .v4AndV6: .any
        case .v4: .v4
        case .v6: .v6
        case .v4Preferred: .v4Preferred
        case .v6Preferred: .v6Preferred
        }
    }
}
