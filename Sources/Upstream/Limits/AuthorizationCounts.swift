import Core

/// What authorization policies said of calls, in shared memory, by the identity of the policy.
///
/// Limit: ``policyLimit`` policies at once; of more, the ones that have been left alone the longest begin anew.
public struct AuthorizationCounts: @unchecked Sendable {
    public static let policyLimit = 1024

    public enum Outcome: Int, CaseIterable, Sendable {
        /// A rule of an ALLOW policy let it pass.
        case allowed
        /// A rule of a DENY policy refused it, or no rule of any ALLOW policy held; then the first of them counts it.
        case denied
        /// A policy of a dry run would have done the same.
        case dryRunAllowed, dryRunDenied
        /// A rule of an AUDIT policy held, whatever became of the call.
        case audited

        /// As the metrics have it.
        public var text: String {
            switch self {
            case .allowed: "allowed"
            case .denied: "denied"
            case .dryRunAllowed: "dry_run_allowed"
            case .dryRunDenied: "dry_run_denied"
            case .audited: "audited"
            }
        }
    }

    private static let words = Outcome.allCases.count
    private static let sets = policyLimit / KeyedTable.ways

    /// Octets.
    public static let size = KeyedTable.size(sets: sets, words: words)

    private let table: KeyedTable

    init(base: UnsafeMutableRawPointer) { table = KeyedTable(base: base, sets: Self.sets, words: Self.words) }

    public func count(_ outcome: Outcome, _ identity: UInt64, now: Instant) {
        SharedWord(table.place(of: identity, now: now) + outcome.rawValue * 8).add(1)
    }

    /// 0 for a policy that was never asked.
    public func count(of outcome: Outcome, _ identity: UInt64) -> UInt64 {
        guard let place = table.find(identity) else { return 0 }
        return SharedWord(place + outcome.rawValue * 8).value
    }
}
