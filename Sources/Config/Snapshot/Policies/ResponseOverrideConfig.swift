import Core
import HTTP

/// A ``ResponseOverridePlan`` in the block.
public struct ResponseOverrideConfig: BitwiseCopyable, Sendable {
    public var source: ResponseOverridePlan.Source
    public var statusCodes: Table<ResponseOverridePlan.StatusRange>
    public var responseHeaders: Table<ResponseHeaderMatchConfig>
    /// None or one; then ``redirect`` is one or none.
    public var response: Table<CustomResponseConfig>
    public var redirect: Table<RedirectConfig>
}

public struct ResponseHeaderMatchConfig: BitwiseCopyable, Sendable {
    public var name: TextRef
    public var fieldName: FieldName
    public var kind: ResponseOverridePlan.HeaderMatch.Kind
    public var value: TextRef
    /// For regular expressions.
    public var pattern: UInt32
}

extension SnapshotWriter {
    mutating func write(_ plans: [ResponseOverridePlan]) -> Table<ResponseOverrideConfig> {
        guard !plans.isEmpty else { return Table() }
        let table = block.allocate(ResponseOverrideConfig.self, count: plans.count)
        guard block.failure == nil else { return table }
        for (index, plan) in plans.enumerated() {
            var config = ResponseOverrideConfig(
                source: plan.source, statusCodes: block.append(contentsOf: plan.statusCodes),
                responseHeaders: write(plan.responseHeaders), response: Table(), redirect: Table())
            switch plan.action {
            case .response(let response):
                let written = write(response)
                config.response = block.append(contentsOf: [written])
            case .redirect(let redirect): config.redirect = write(redirect)
            }
            if block.failure == nil { block[table, index] = config }
        }
        return table
    }

    private mutating func write(
        _ matches: [ResponseOverridePlan.HeaderMatch]
    ) -> Table<ResponseHeaderMatchConfig> {
        guard !matches.isEmpty else { return Table() }
        let table = block.allocate(ResponseHeaderMatchConfig.self, count: matches.count)
        guard block.failure == nil else { return table }
        for (index, match) in matches.enumerated() {
            block[table, index] = ResponseHeaderMatchConfig(
                name: text(match.name), fieldName: fieldName(match.name), kind: match.kind, value: text(match.value),
                pattern: match.kind == .regularExpression ? pattern(match.value) : 0)
        }
        return table
    }
}
