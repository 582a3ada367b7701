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
