import Core

/// Path indexes that were written, by the routes they serve, so that hosts and listeners with the same routes share one.
struct PathIndexMemo {
    private var places: [UInt64: Int] = [:]
    private var written: [(routes: [UInt32], index: PathIndex)] = []

    func find(_ routes: [UInt32], hash: UInt64) -> PathIndex? {
        guard let place = places[hash], written[place].routes == routes else { return nil }
        return written[place].index
    }

    mutating func remember(_ routes: [UInt32], hash: UInt64, _ index: PathIndex) {
        places[hash] = written.count
        written.append((routes, index))
    }
}

extension SnapshotWriter {
    /// The matches of these routes, ready to be looked up by path; within each bucket in order of rank.
    mutating func pathIndex(of routes: [UInt32]) -> PathIndex {
        var identity = IdentityHash()
        for route in routes { identity.add(route) }
        if let known = pathIndexMemo.find(routes, hash: identity.value) { return known }

        var order: [SortKey] = []
        for route in routes {
            for match in firstMatch[Int(route)]..<firstMatch[Int(route) + 1] {
                order.append(SortKey(matches[match], match))
            }
        }
        if order.count > 1 { order.sort() }

        // One run of records, of which every bucket has a part.
        let records = block.allocate(MatchConfig.self, count: order.count)
        for (i, key) in order.enumerated() { block[records, i] = matches[Int(key.match)].config }

        var index = PathIndex(
            exact: Table(), prefixes: Table(), regularExpressions: Table(), lateExpressions: Table(), longestPrefix: 0,
            prefixDepths: 0)
        let expressions = order.firstIndex { $0.kind != .exact } ?? order.count
        let prefixes = order[expressions...].firstIndex { $0.kind != .regularExpression } ?? order.count
        let late = order[prefixes...].firstIndex { $0.kind != .prefix } ?? order.count
        index.exact = buckets(order[0..<expressions], records)
        index.regularExpressions = expressionRuns(order[expressions..<prefixes], records)
        index.prefixes = buckets(order[prefixes..<late], records)
        index.lateExpressions = expressionRuns(order[late...], records)
        for key in order[prefixes..<late] {
            let depth = matches[Int(key.match)].depth
            index.longestPrefix = max(index.longestPrefix, UInt32(depth))
            index.prefixDepths |= DepthMask.bit(depth)
        }
        header.longestPrefix = max(header.longestPrefix, index.longestPrefix)
        pathIndexMemo.remember(routes, hash: identity.value, index)
        return index
    }

    /// A hash table with one bucket per path; `order` has the matches of one path together.
    private mutating func buckets(_ order: ArraySlice<SortKey>, _ records: Table<MatchConfig>) -> Table<PathBucket> {
        var paths = 0
        for i in order.indices where i == order.startIndex || order[i].group != order[i - 1].group { paths += 1 }
        let table = block.allocate(PathBucket.self, count: HashTable.capacity(for: paths))
        guard block.failure == nil else { return Table() }
        let mask = Int(table.count) - 1
        var first = order.startIndex
        while first < order.endIndex {
            var end = first + 1
            while end < order.endIndex, order[end].group == order[first].group { end += 1 }
            let match = matches[Int(order[first].match)]
            var slot = HashTable.firstSlot(match.hash, mask: mask)
            while !block[table, slot].candidates.isEmpty { slot = (slot + 1) & mask }
            block[table, slot] = PathBucket(
                hash: match.hash, path: match.key, candidates: slice(of: records, from: first, count: end - first))
            first = end
        }
        return table
    }

    private mutating func expressionRuns(
        _ order: ArraySlice<SortKey>, _ records: Table<MatchConfig>
    ) -> Table<RegexCandidates> {
        var runs: [RegexCandidates] = []
        var first = order.startIndex
        while first < order.endIndex {
            let pattern = matches[Int(order[first].match)].pattern
            var end = first + 1
            while end < order.endIndex, matches[Int(order[end].match)].pattern == pattern { end += 1 }
            // The prefix lies at the start of the expression's own text, perhaps after a `^`.
            let key = matches[Int(order[first].match)].key
            let expression = block.text(key)
            let length = LiteralPrefix.of(expression).count
            let skipped: UInt32 = length > 0 && expression[0] == UInt8(ascii: "^") ? 1 : 0
            runs.append(
                RegexCandidates(
                    pattern: pattern, literalPrefix: TextRef(offset: key.offset + skipped, length: UInt32(length)),
                    candidates: slice(of: records, from: first, count: end - first)))
            first = end
        }
        return block.append(contentsOf: runs)
    }
}

/// Where a match stands in its index: exact paths, expressions, prefixes, late expressions; equal paths together; then by rank, then by
/// place in the plan. Expressions are tried one after the other, so they stand by rank alone.
private struct SortKey: Comparable {
    let group: UInt64
    private let rank: UInt64  // Upside down: the higher rank sorts first.
    let match: UInt32

    init(_ compiled: CompiledMatch, _ index: Int) {
        let kind = compiled.config.pathKind
        let path = kind == .exact || kind == .prefix ? compiled.key.offset : 0
        group = UInt64(kind.rawValue) << 32 | UInt64(path)
        rank = ~compiled.rank.packed
        match = UInt32(index)
    }

    var kind: MatchConfig.PathKind {
        MatchConfig.PathKind(rawValue: UInt8(truncatingIfNeeded: group >> 32)).unsafelyUnwrapped
    }

    static func < (a: Self, b: Self) -> Bool {
        if a.group != b.group { return a.group < b.group }
        if a.rank != b.rank { return a.rank < b.rank }
        return a.match < b.match
    }
}
