import CPCRE2

/// What the matcher of regular expressions works in: its limits, its stack, the place for its result. One per thread is
/// enough for all expressions.
public final class PatternMemory {
    /// Steps of a match, pcre2api(3), "pcre2_set_match_limit"; some milliseconds at worst, while honest values of the
    /// longest request line need a few per octet.
    public static let matchLimit: UInt32 = 100_000
    /// Kibioctets of heap that the interpreter may take where there is no JIT.
    public static let heapLimit: UInt32 = 1024
    /// Octets of stack for compiled code; it begins with the first and grows to the second. PCRE2's own 32 KiB are not enough
    /// for `(a|b)*` on a path of some kibioctets.
    public static let initialStack = 32 * 1024
    public static let largestStack = 1024 * 1024

    /// Groups of a match that are told: the whole and nine more, which is what a substitution can name.
    static let groups = 10

    let matchData: OpaquePointer
    private let limits: OpaquePointer
    /// Made with the first match, since the control side only compiles.
    private var stack: OpaquePointer?

    public init() {
        guard let matchData = pcre2_match_data_create_8(UInt32(Self.groups), nil),
            let limits = pcre2_match_context_create_8(nil)
        else {
            fatalError("out of memory")
        }
        pcre2_set_match_limit_8(limits, Self.matchLimit)
        pcre2_set_depth_limit_8(limits, Self.matchLimit)
        pcre2_set_heap_limit_8(limits, Self.heapLimit)
        self.matchData = matchData
        self.limits = limits
    }

    deinit {
        pcre2_match_data_free_8(matchData)
        pcre2_match_context_free_8(limits)
        if let stack { pcre2_jit_stack_free_8(stack) }
    }

    var context: OpaquePointer {
        if stack == nil {
            // Without memory for it, or without JIT, the matcher makes do with its own.
            stack = pcre2_jit_stack_create_8(Self.initialStack, Self.largestStack, nil)
            pcre2_jit_stack_assign_8(limits, nil, stack.map { UnsafeMutableRawPointer($0) })
        }
        return limits
    }
}
