import Config
import Core

/// The compiled expressions of one worker, by their text, so that a reload compiles only what is new.
///
/// Holds what running tables use and up to ``spareLimit`` expressions besides, which a next table may want again.
public final class PatternCache {
    /// Expressions kept though no table uses them. A compiled one takes some kibioctets.
    public static let spareLimit = 1024

    private struct Key: Hashable {
        var expression: String
        var scope: PCRE2Pattern.Scope
    }

    private var patterns: [Key: PCRE2Pattern] = [:]
    private let memory = PatternMemory()
    private var sweepAt = PatternCache.spareLimit
    /// Expressions compiled since the start.
    public private(set) var compilations = 0

    public init() {}

    public var count: Int { patterns.count }

    /// The expression, compiled now if it is new. One that does not compile, which the control side would have refused,
    /// matches nothing.
    public func pattern(_ expression: ByteView, _ scope: PCRE2Pattern.Scope = .whole) -> PCRE2Pattern {
        let text = Key(expression: expression.string, scope: scope)
        if let known = patterns[text] { return known }
        if patterns.count >= sweepAt { sweep() }
        compilations += 1
        let compiled: PCRE2Pattern
        do throws(PatternError) {
            compiled = try PCRE2Pattern(expression, scope, memory: memory)
        } catch {
            guard let never = try? PCRE2Pattern("(?!)", memory: memory) else {
                preconditionFailure("the empty negative look-ahead compiles")
            }
            compiled = never
        }
        patterns[text] = compiled
        return compiled
    }

    /// Drops what no table holds. Run again only when as many have come as stayed, so its cost is spread over compilations.
    private func sweep() {
        var kept: [Key: PCRE2Pattern] = [:]
        for text in Array(patterns.keys) {
            var pattern = patterns.removeValue(forKey: text)
            if !isKnownUniquelyReferenced(&pattern) { kept[text] = pattern }
        }
        patterns = kept
        sweepAt = patterns.count + Self.spareLimit
    }
}
