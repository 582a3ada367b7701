import Core

/// What flows had to wait and were refused, in shared memory: for each worker a table of its own, which it alone writes and the
/// controller reads.
///
/// Limits: ``flowLimit`` flows a worker; ``callerLength`` octets of a caller's name. A flow that finds no place takes that which has
/// been left alone the longest in its set, if that was for ``patience``; what was counted there goes to the place of all others. Else it
/// is counted with all others itself. So sums never shrink, and no number of callers makes the table grow.
public struct FlowCounts: @unchecked Sendable {
    public static let flowLimit = 256
    public static let callerLength = 64
    static let patience = TimeAmount.seconds(60)
    private static let ways = 8
    /// Words of one flow: 8 of counts, and the caller's name.
    private static let words = 8 + callerLength / 8
    /// The first place is that of all others.
    private static let places = flowLimit + 1

    private enum Word: Int { case key, member, queued, delay, rejected, touched, callerLength }

    private let base: UnsafeMutablePointer<UInt64>
    private let workers: Int
    private let worker: Int

    /// Octets for so many workers.
    public static func size(workers: Int) -> Int { places * words * 8 * workers }

    init(base: UnsafeMutableRawPointer, workers: Int, worker: Int) {
        self.base = base.assumingMemoryBound(to: UInt64.self)
        self.workers = workers
        self.worker = worker
    }

    private func place(_ number: Int, _ worker: Int) -> UnsafeMutablePointer<UInt64> {
        base + (worker * Self.places + number) * Self.words
    }

    // MARK: writing

    /// A call has waited and goes on now.
    public func waited(_ flow: Flow, _ delay: TimeAmount, now: Instant) {
        let place = place(of: flow, now: now)
        place[Word.queued.rawValue] &+= 1
        place[Word.delay.rawValue] &+= UInt64(max(0, delay.nanoseconds))
    }

    /// A call was refused.
    public func rejected(_ flow: Flow, now: Instant) { place(of: flow, now: now)[Word.rejected.rawValue] &+= 1 }

    /// Whose call it is.
    public struct Flow {
        public var key: UInt64
        /// The identity of the service that is called.
        public var member: UInt64
        public var caller: ByteView

        public init(key: UInt64, member: UInt64, caller: ByteView) {
            self.key = key
            self.member = member
            self.caller = caller
        }
    }

    private func place(of flow: Flow, now: Instant) -> UnsafeMutablePointer<UInt64> {
        let key = max(1, flow.key)
        let second = UInt64(max(0, now.nanoseconds)) / 1_000_000_000 + 1
        let set = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 40) % (Self.flowLimit / Self.ways)
        let first = 1 + set * Self.ways
        var stalest = first
        for number in first..<(first + Self.ways) {
            let place = place(number, worker)
            if place[Word.key.rawValue] == key {
                place[Word.touched.rawValue] = second
                return place
            }
            if place[Word.touched.rawValue] < self.place(stalest, worker)[Word.touched.rawValue] { stalest = number }
        }
        let chosen = place(stalest, worker)
        let touched = chosen[Word.touched.rawValue]
        let others = place(0, worker)
        guard touched == 0 || second - touched >= UInt64(Self.patience.nanoseconds / 1_000_000_000) else {
            return others
        }
        SharedWord(chosen + Word.key.rawValue).release(0)
        for word in [Word.queued, .delay, .rejected] {
            others[word.rawValue] &+= chosen[word.rawValue]
            chosen[word.rawValue] = 0
        }
        chosen[Word.member.rawValue] = flow.member
        chosen[Word.touched.rawValue] = second
        let length = min(flow.caller.count, Self.callerLength)
        chosen[Word.callerLength.rawValue] = UInt64(length)
        let text = UnsafeMutableRawPointer(chosen + 8).assumingMemoryBound(to: UInt8.self)
        for index in 0..<length { text[index] = flow.caller[index] }
        // Written after all else: who reads never finds a key without its name.
        SharedWord(chosen + Word.key.rawValue).release(key)
        return chosen
    }

    // MARK: reading

    /// What was counted for one flow by all workers.
    public struct Row: Sendable {
        /// The identity of the service; 0: that of all others.
        public var member: UInt64
        public var caller: String
        public var queued: UInt64
        /// Nanoseconds.
        public var delay: UInt64
        public var rejected: UInt64
    }

    /// Every flow that has a place, and last all others.
    public func rows() -> [Row] {
        var rows: [UInt64: Row] = [:]
        var others = Row(member: 0, caller: "", queued: 0, delay: 0, rejected: 0)
        for worker in 0..<workers {
            add(place(0, worker), to: &others)
            for number in 1..<Self.places {
                let place = place(number, worker)
                let key = SharedWord(place).acquire()
                guard key != 0 else { continue }
                var row =
                    rows[key]
                    ?? Row(
                        member: place[Word.member.rawValue], caller: caller(of: place), queued: 0, delay: 0, rejected: 0
                    )
                add(place, to: &row)
                rows[key] = row
            }
        }
        return rows.values.sorted { ($0.member, $0.caller) < ($1.member, $1.caller) } + [others]
    }

    private func add(_ place: UnsafeMutablePointer<UInt64>, to row: inout Row) {
        row.queued &+= place[Word.queued.rawValue]
        row.delay &+= place[Word.delay.rawValue]
        row.rejected &+= place[Word.rejected.rawValue]
    }

    private func caller(of place: UnsafeMutablePointer<UInt64>) -> String {
        let length = min(Int(clamping: place[Word.callerLength.rawValue]), Self.callerLength)
        return String(decoding: UnsafeRawBufferPointer(start: place + 8, count: length), as: UTF8.self)
    }
}
