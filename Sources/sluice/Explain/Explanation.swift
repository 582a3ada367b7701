import Config
import Core

/// What `explain` found, in plain values: one for both forms of output.
struct Explanation {
    struct Place {
        var file: String
        var line: Int
        var column: Int
        var text: String { line == 0 ? file : "\(file):\(line):\(column)" }
    }

    enum Subject {
        case request(method: String, url: String)
        /// Where it goes, and what it begins with (`tls`, `tcp`; nil: nobody says).
        case connection(target: String, serverName: String?, isOctets: Bool)
    }

    /// A policy that is in force.
    struct Policy {
        var kind: String
        var name: String
        /// "effective", "base" (the effective one is merged into it) or "refused".
        var role: String
        /// Why it is refused; else empty.
        var problem: String
        var place: Place
        /// What it does, where its kind does not say that: ALLOW, DENY …
        var action = ""
        /// What it says of this call, where it is one that is asked.
        var outcome = ""
        /// Why its rules do not hold, and where they are written.
        var obstacles: [(text: String, place: Place)] = []
    }

    struct Listener {
        var gateway: String
        var name: String
        /// Empty: every host.
        var hostname: String
        var place: Place
        var policies: [Policy] = []
        var fallback = CentralGateways()
    }

    /// The central gateways of a listener or a backend (`sluice.dev/fallback-gateway`), as a manifest has them.
    struct CentralGateways {
        var addresses: [String] = []
        /// They are called through HBONE, whose CONNECT says for whom a connection is.
        var isTunnelled = false
        var isEmpty: Bool { addresses.isEmpty }
    }

    /// The service of a group that is called.
    struct Member {
        /// `namespace/name`.
        var name: String
        var port: Int
        /// What is spoken there.
        var spoken: String
        /// Whose routes serve, and why.
        var routes: String
        /// What it has of what is short, and its quotas.
        var share: String
        /// It is one endpoint of it that is called, by its own address.
        var isOneEndpoint: Bool
        var place: Place
    }

    /// Whether the call may be made.
    struct Access {
        var isAllowed: Bool
        /// As the access log has it, with the place.
        var words: String
        /// `namespace/name` of the policy that decided; nil: none did.
        var policy: String?
        /// What would be decided if dry runs were in earnest; nil: there are none.
        var dryRun: String?
        /// AUDIT policies that it matches, each with its place.
        var audits: [String] = []
        /// What policies ask for and was not given, and what was taken instead.
        var missing: [String] = []
    }

    struct Route {
        var kind: String
        var name: String
        var place: Place
    }

    struct Backend {
        var name: String
        var weight: UInt32
        var share: Double
        var endpoints: [String]
        var dnsName: String?
        /// The reference is invalid, and its share is answered so.
        var answer: UInt16?
        var filters: [String]
        /// How its endpoints are chosen, and how much is used at once; nil: as without a policy.
        var balancing: String?
        /// Connections to it are made through HBONE, and to whom.
        var tunnel: String?
        /// Its own central gateways (`sluice.dev/fallback-gateway`).
        var fallback: CentralGateways
        /// Of a backend whose host is the caller's to say: it may be one of this machine or its links; nil: it is no such
        /// backend.
        var allowsLocalTargets: Bool?
        var place: Place

        /// Somebody is there who may serve.
        var hasEndpoint: Bool { answer == nil && (dnsName != nil || !endpoints.isEmpty) }
    }

    struct Rule {
        var route: Route
        var index: Int
        var name: String
        var place: Place
        var filters: [String] = []
        /// What a filter answers in the place of backends; nil: none does.
        var ownAnswer: UInt16?
        /// What decides, beside the weights, which backend serves.
        var releases: [(title: String, text: String, place: Place)] = []
        var requestTimeout: TimeAmount?
        var backendRequestTimeout: TimeAmount?
        var retry: RetryPlan?
        var policies: [Policy] = []
        var backends: [Backend] = []

        init(route: Route, index: Int, name: String, place: Place) {
            self.route = route
            self.index = index
            self.name = name
            self.place = place
        }
    }

    struct Candidate {
        enum Verdict: String { case won, outranked, lost }
        var route: Route
        var rule: Int
        var match: Int
        /// The match in words.
        var words: String
        var hostname: String
        var listener: String
        var verdict: Verdict
        /// The first predicate that the request does not meet.
        var predicate: String?
        var place: Place
    }

    let subject: Subject
    var host = ""
    /// As matched.
    var path = ""
    var address: String?
    var listener: Listener?
    var member: Member?
    /// Who calls; nil: nothing depends on it.
    var caller: String?
    var access: Access?
    /// Those that say who may call.
    var authorization: [Policy] = []
    /// What becomes of a call that leaves the group; nil: it does not.
    var egress: String?
    /// What is spoken on a connection, and how that is known.
    var spoken: String?
    var rule: Rule?
    /// Where it goes without a rule.
    var outlet: String?
    /// Where it goes when no backend can be reached from here; nil: there is no such place.
    var fallback: String?
    /// ``fallback`` is a place, and not the reason why there is none.
    var isHandedOn = false
    /// TLS of the caller's own that is passed on, asked about by an https:// URL.
    var isPassedOn = false
    /// Why the caller does not get past the handshake of the listener; nil: it does, or there is none.
    var refusedHandshake: String?
    /// Fields that go on through its calls.
    var carried: [String] = []
    /// What the gateway answers by itself; nil: a rule decides, nothing listens, or it is a connection.
    var status: UInt16?
    /// Why no rule serves, or why the one that takes it cannot; empty when it is served.
    var verdict = ""
    var notes: [String] = []
    /// The nearest, in order of precedence.
    var candidates: [Candidate] = []
    /// How many more there are, and how many of them stand before the winner (all when there is none).
    var omitted = 0
    var omittedNearer = 0

    init(_ subject: Subject) { self.subject = subject }

    /// Somebody takes it, who may have nobody to serve it.
    var isRouted: Bool { rule != nil || outlet != nil }
    var isServed: Bool { isRouted && verdict.isEmpty }
    var isOfConnection: Bool {
        if case .connection = subject { true } else { isPassedOn }
    }

    /// Of the listener, of who may call, and of the rule.
    var policies: [Policy] { (listener?.policies ?? []) + authorization + (rule?.policies ?? []) }

    /// It is answered by the gateway itself, or closed.
    func refused(_ status: UInt16?, _ reason: String) -> Explanation {
        var copy = self
        copy.status = status
        copy.verdict = reason
        copy.rule = nil
        copy.outlet = nil
        return copy
    }

    /// A rule takes it, and still it is answered by an error, or closed: what was found stays to be told.
    mutating func fail(_ status: UInt16?, _ reason: String) {
        self.status = isOfConnection ? nil : status
        verdict = isOfConnection ? "reset: \(reason)" : reason
    }
}
