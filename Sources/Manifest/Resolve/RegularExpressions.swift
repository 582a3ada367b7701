import Routing

/// Regular expressions of matches, tried when a set is loaded so that a bad one is told before a request meets it.
enum RegularExpressions {
    /// Why `pattern` cannot be used, or nil.
    static func problem(_ pattern: String) -> String? {
        do throws(PatternError) {
            _ = try PCRE2Pattern(pattern)
            return nil
        } catch {
            return error.description
        }
    }
}
