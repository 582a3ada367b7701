import CPCRE2
import Core

/// Why an expression cannot be compiled.
public struct PatternError: Error, Equatable, CustomStringConvertible {
    /// Octets from the expression's start.
    public let offset: Int
    public let message: String
    public var description: String { "at offset \(offset): \(message)" }
}

/// A compiled regular expression: of a match (of a path, a header, a query parameter or a cookie), or of a rewrite.
///
/// - Matching is *full*: the whole value, from its first octet to its last, as Envoy has it. Who means "contains" writes
///   `.*word.*`. Gateway API leaves this to implementations (HTTPRouteMatch, `type: RegularExpression`). Rewrites search.
/// - The syntax is PCRE2's, of which RE2's (Envoy's) is nearly a part: expressions written for Envoy mean the same here,
///   except for RE2's own classes `\pN`-style scripts in UTF-8, since values are matched octet by octet; letters above
///   0x7F match as their octets. Back references and look-around, which RE2 refuses, are accepted.
/// - An expression may take ``PatternMemory/matchLimit`` steps of a match. One that would take more, which only a hostile value makes
///   it do, counts as no match: the request then falls to the next candidate.
///
/// Used by one thread: a worker's, or the control side's, which compiles expressions to find mistakes.
public final class PCRE2Pattern {
    /// What an expression is held against.
    public enum Scope: UInt8, BitwiseCopyable, Sendable {
        case whole
        /// It is searched for, with ``search(_:from:)``.
        case anywhere
    }

    private let code: OpaquePointer
    private let memory: PatternMemory
    /// Values that were given up because of a limit.
    public private(set) var limitHits: UInt64 = 0

    /// - Parameter memory: what matching works in, which the patterns of one thread may share.
    /// - Throws: ``PatternError`` with the place in the expression.
    public init(
        _ expression: ByteView, _ scope: Scope = .whole, memory: PatternMemory = PatternMemory()
    ) throws(PatternError) {
        var number: Int32 = 0
        var offset = 0
        // Octets, not UTF-8: paths and field values need not be UTF-8, and an expression must not switch it on.
        let anchors = scope == .whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0
        let options = anchors | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP
        var empty: UInt8 = 0
        let compiled = pcre2_compile_8(
            expression.base ?? Self.address(of: &empty), expression.count, options, &number, &offset, nil)
        guard let compiled else {
            throw PatternError(offset: offset, message: Self.message(number))
        }
        // Without JIT (a kernel that forbids executable memory) the interpreter does the same, slower.
        pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE)
        code = compiled
        self.memory = memory
    }

    public convenience init(
        _ expression: String, _ scope: Scope = .whole, memory: PatternMemory = PatternMemory()
    ) throws(PatternError) {
        // withView cannot carry a typed error, so it carries a copy.
        let octets = Array(expression.utf8)
        let view = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, octets.count))
        view.initialize(repeating: 0, count: max(1, octets.count))
        view.update(from: octets, count: octets.count)
        defer { view.deallocate() }
        try self.init(ByteView(view, count: octets.count), scope, memory: memory)
    }

    deinit { pcre2_code_free_8(code) }

    /// Whether the whole value matches. Allocates nothing with JIT.
    public func matches(_ value: ByteView) -> Bool {
        var empty: UInt8 = 0
        let result = pcre2_match_8(
            code, value.base ?? Self.address(of: &empty), value.count, 0, 0, memory.matchData, memory.context)
        if result >= 0 { return true }
        // The remaining errors are limits (of matches, depth, heap, JIT stack); the bad-argument ones would be our own bug.
        if result != PCRE2_ERROR_NOMATCH { limitHits += 1 }
        return false
    }

    public enum SearchResult: Sendable {
        case none
        /// The octets that match, by their place in the value.
        case found(Range<Int>)
        /// A limit was met.
        case givenUp
    }

    /// The first match at or behind `start`; what stands before it counts for `^` and look-behind. Of a pattern of
    /// ``Scope/anywhere``.
    public func search(_ value: ByteView, from start: Int) -> SearchResult {
        var empty: UInt8 = 0
        let result = pcre2_match_8(
            code, value.base ?? Self.address(of: &empty), value.count, start, 0, memory.matchData, memory.context)
        if result == PCRE2_ERROR_NOMATCH { return .none }
        guard result >= 0, let found = range(0) else {
            limitHits += 1
            return .givenUp
        }
        return .found(found)
    }

    /// What a group matched in the last search; nil: nothing. 0 is the whole match.
    func group(_ number: Int) -> Range<Int>? {
        number < PatternMemory.groups ? range(number) : nil
    }

    private func range(_ group: Int) -> Range<Int>? {
        guard let places = pcre2_get_ovector_pointer_8(memory.matchData) else { return nil }
        let (start, end) = (places[2 * group], places[2 * group + 1])
        // A group that took no part has the greatest number of `size_t`; `\K` can put the start behind the end.
        guard start >= 0, start <= end else { return nil }
        return start..<end
    }

    /// How many groups the expression has.
    public var groupCount: Int {
        var count: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_CAPTURECOUNT), &count)
        return Int(count)
    }

    private static func address(of octet: UnsafeMutablePointer<UInt8>) -> UnsafePointer<UInt8> { UnsafePointer(octet) }

    private static func message(_ number: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(number, &text, text.count)
        return length < 0 ? "error \(number)" : String(decoding: text.prefix(Int(length)), as: UTF8.self)
    }
}
