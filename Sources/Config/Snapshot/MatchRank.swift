/// How specific a match is; the greater wins (Gateway API, HTTPRouteRule.matches): exact path, longest prefix, method,
/// number of headers, number of query parameters; then the number of cookies, which only HTTPRouteFilter knows. Where regular expressions stand is ours to say: between exact and
/// prefix, the longer expression first, as in Envoy Gateway; some of a GRPCRoute's behind all prefixes that say anything.
/// Ties go to the earlier route of the plan, then to the
/// earlier rule, then to the earlier match.
///
/// One number, because some 10,000 of them are sorted in a reload.
public struct MatchRank: Comparable, BitwiseCopyable, Sendable {
    /// From the top: 8 bits kind of path, 24 its length, 8 method, 8 headers, 8 query parameters, 8 cookies. What does not fit
    /// counts as the most that does; the CRD allows 1024 octets, and 16 of each predicate.
    public let packed: UInt64

    /// - Parameters:
    ///   - length: octets of the path without a prefix's trailing slash (they are ASCII, so characters), or of the
    ///     expression.
    ///   - headers: header predicates of the match; likewise `queryParams` and `cookies`.
    public init(
        kind: MatchConfig.PathKind, length: Int, hasMethod: Bool, headers: Int, queryParams: Int, cookies: Int = 0
    ) {
        let specificity: UInt64 =
            switch kind {
            case .prefix: length == 0 ? 0 : 2
            case .lateExpression: 1
            case .regularExpression: 3
            case .exact: 4
            }
        packed =
            specificity << 56 | UInt64(min(length, 0xFF_FFFF)) << 32 | (hasMethod ? 1 << 24 : 0)
            | UInt64(min(headers, 0xFF)) << 16 | UInt64(min(queryParams, 0xFF)) << 8 | UInt64(min(cookies, 0xFF))
    }

    /// The rank of a record.
    public init(_ match: MatchConfig) {
        self.init(
            kind: match.pathKind, length: Int(match.rankLength), hasMethod: match.method != MatchConfig.anyMethod,
            headers: Int(match.headers.count), queryParams: Int(match.queryParams.count),
            cookies: Int(match.cookies.count))
    }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.packed < b.packed }
}
