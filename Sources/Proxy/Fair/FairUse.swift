import Config
import Core
import Upstream

/// What one exchange has to do with what flows share: nothing, unless it is a call on a group's listener.
struct FairUse {
    /// Of service and caller.
    var flow: UInt64 = 0
    /// Whose call it is; nil: no member's, but one of the group's callers'.
    var member: UnsafePointer<MemberConfig>?
    /// It came on a group's listener.
    var isWanted = false
    /// It takes part.
    var isOpen = false
    /// It has passed, and holds a place among the calls under way.
    var isAdmitted = false
    /// Where it came, for when its turn has come: the listener's and the socket's numbers in the snapshot.
    var listener: UInt32 = 0
    var socket: UInt32 = 0
    /// Another worker serves its service.
    var isKeptElsewhere = false
    /// What is decided of it here, when it goes there.
    var handed: HandedCall?
    /// Since when it waits to be admitted.
    var waitsSince = Instant.distantFuture
    /// Octets that it is counted with.
    var octets: Int64 = 0

    var slot: UInt32 { member?.pointee.fairShare.slot ?? 0 }
    var weight: UInt32 { member?.pointee.fairShare.weight ?? 1 }

    /// Equal for calls of one caller to one service.
    static func flow(member: UInt64, caller: UInt64) -> UInt64 { HashMix.combine(HashMix.mix(member), caller) }
}

/// Where an exchange waits for its turn. One of each exchange, made when it first waits and used again.
final class ExchangePlace: FairPlace {
    unowned(unsafe) let exchange: Exchange
    /// It waits to be admitted; else for time to go on.
    var isForAdmission = false
    /// Of those that wait for a place, not for time.
    var isInLine = false

    init(_ exchange: Exchange) { self.exchange = exchange }
}

/// A call that goes to the worker which serves its service: rule and backend as they are, but for all that one of them does to
/// requests and responses. The other worker does that.
final class HandedCall {
    let rule: UnsafeMutablePointer<RuleConfig>
    let backend: UnsafeMutablePointer<BackendConfig>

    init(_ rule: RuleConfig, _ backend: BackendConfig) {
        self.rule = .allocate(capacity: 1)
        self.backend = .allocate(capacity: 1)
        self.rule.initialize(to: rule)
        self.backend.initialize(to: backend)
        Self.empty(&self.rule.pointee.filters)
        Self.empty(&self.backend.pointee.filters)
        self.rule.pointee.retry = .none
        self.rule.pointee.traffic = Table()
    }

    deinit {
        rule.deallocate()
        backend.deallocate()
    }

    private static func empty(_ filters: inout FilterConfig) {
        filters.requestHeaders = Table()
        filters.responseHeaders = Table()
        filters.redirect = Table()
        filters.rewrite = Table()
        filters.mirrors = Table()
        filters.cors = Table()
        filters.directResponse = Table()
        filters.credentialInjection = Table()
    }
}
