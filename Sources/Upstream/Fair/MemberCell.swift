/// What the family holds of one member of a group, and what it has done to workers, in the live state.
///
/// Each worker has words of its own for what it holds, which it alone writes; a worker that dies takes what it held with it. What
/// is common is written by whoever finds a predecessor's death.
public struct MemberCell: @unchecked Sendable {
    static let layout = LiveArea.Layout(slots: 4096, common: 64, own: 64)
    /// Members that have a place of their own.
    public static let limit = 4096

    private let area: LiveArea
    private let slot: UInt32
    private let worker: Int

    init(_ area: LiveArea, slot: UInt32, worker: Int) {
        self.area = area
        self.slot = slot
        self.worker = worker
    }

    private func own(_ word: Int, _ worker: Int) -> SharedWord { SharedWord(area.own(slot, worker: worker) + word * 8) }
    private func common(_ word: Int) -> SharedWord { SharedWord(area.common(slot) + word * 8) }

    // MARK: what is held

    /// Calls that this worker holds.
    public var calls: UInt64 { own(0, worker).value }
    /// Octets that this worker buffers.
    public var octets: UInt64 { own(1, worker).value }

    /// Of all workers.
    public var allCalls: UInt64 { sum(of: 0) }
    public var allOctets: UInt64 { sum(of: 1) }

    // Not by a closure: in builds without optimisation, where tests count, it would be an object.
    private func sum(of word: Int) -> UInt64 {
        var sum: UInt64 = 0
        for worker in 0..<area.workerCount { sum &+= own(word, worker).value }
        return sum
    }

    /// Holds one more call. Of two workers that take the last place at once each sees the other, so the limit is never passed; at
    /// worst both are refused.
    /// - Parameter limit: of all workers; 0: any number.
    /// - Returns: false, and nothing is held, when there would be more.
    public func take(limit: UInt32) -> Bool {
        let word = own(0, worker)
        word.value &+= 1
        guard limit > 0 else { return true }
        SharedWord.fence()
        if allCalls <= UInt64(limit) { return true }
        word.value &-= 1
        return false
    }

    public func give() {
        precondition(calls > 0, "more was given back than was taken")
        own(0, worker).value &-= 1
    }

    /// This worker buffers more, or less.
    public func add(octets change: Int64) { own(1, worker).value &+= UInt64(bitPattern: change) }

    // MARK: deaths

    /// Notes that a worker has died of it.
    /// - Parameters:
    ///   - input: what the worker was busy with.
    ///   - now: the wall clock, nanoseconds since 1970.
    /// - Returns: whether it is isolated from now on: the last death was of the same input, within ``Isolation/window``.
    public func noteDeath(_ input: InputKind, now: Int64) -> Bool {
        let before = Isolation.Death(word: common(0).value)
        let death = Isolation.Death(input: input, at: now)
        common(0).value = death.word
        common(1).add(1)
        guard Isolation.isRepeated(before, death) else { return false }
        common(2).value = UInt64(max(0, now + Isolation.lasts.nanoseconds))
        return true
    }

    /// Workers that have died of it.
    public var deaths: UInt64 { common(1).value }

    /// What the last one was busy with; nil: none has died.
    public var lastInput: InputKind? { Isolation.Death(word: common(0).value)?.input }

    /// Whether the last death is so recent that the only worker there is does not try again.
    public func isRefused(now: Int64) -> Bool {
        guard let death = Isolation.Death(word: common(0).value) else { return false }
        return now / 1_000_000_000 < Int64(clamping: death.second) + Isolation.refusal.nanoseconds / 1_000_000_000
    }

    /// One worker alone serves it, until this moment of the wall clock (nanoseconds since 1970); nil: all do.
    public func isolation(now: Int64) -> Int64? {
        let until = Int64(clamping: common(2).value)
        return until > now ? until : nil
    }
}

extension LiveState {
    /// A member's place; 0 stands for all that have none.
    public func member(_ slot: UInt32) -> MemberCell { MemberCell(members, slot: slot, worker: worker) }

    /// What this worker works on, and what its predecessor did.
    public var work: WorkMark { WorkMark(members.own(0, worker: worker) + 32) }
}
