/// How short one thing is: two levels, each with a mark at which it begins and a lower one at which it ends, so that what
/// is just at a mark does not flap.
struct Watermark: Equatable, BitwiseCopyable {
    enum Level: UInt8, Comparable {
        /// Nothing is done.
        case normal
        /// Idle connections go.
        case shedding
        /// New connections are refused, too.
        case refusing

        static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }

    // Hundredths of the limit.
    static let sheddingFrom = 85
    static let sheddingUntil = 80
    static let refusingFrom = 95
    static let refusingUntil = 90

    private(set) var level = Level.normal

    /// - Parameters:
    ///   - used: how much is taken of `limit`; a limit of 0 is none.
    /// - Returns: whether the level has changed.
    mutating func update(used: UInt64, limit: UInt64) -> Bool {
        let before = level
        guard limit > 0 else {
            level = .normal
            return level != before
        }
        let share = Int(clamping: used.multipliedReportingOverflow(by: 100).overflow ? 1000 : used * 100 / limit)
        switch level {
        case .normal:
            if share >= Self.refusingFrom { level = .refusing } else if share >= Self.sheddingFrom { level = .shedding }
        case .shedding:
            if share >= Self.refusingFrom { level = .refusing } else if share < Self.sheddingUntil { level = .normal }
        case .refusing:
            if share < Self.sheddingUntil { level = .normal } else if share < Self.refusingUntil { level = .shedding }
        }
        return level != before
    }
}
