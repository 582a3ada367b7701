import Config
import Core
import Routing
import Testing

@Suite("HTTPPathModifier") struct PathModifierTests {
    /// The path that a rewrite makes, matched by the table itself so that its matched length is used.
    private func rewritten(_ path: String, matching prefix: String, by modifier: PathModifierPlan) throws -> String {
        let table = try TestTable(.matches([.init(path: .prefix(prefix))]))
        let decision = table.decide(.init(path))
        #expect(decision.outcome == .rule)
        let filter = try FilterSnapshot { $0.rewrite = RewritePlan(hostname: nil, path: modifier) }
        let config = filter.snapshot[filter.filters.rewrite, 0].pointee
        return path.withView { path in
            FilterSnapshot.text {
                PathModifier.write(
                    config.path, in: filter.snapshot, path: path, matchedPrefixLength: decision.matchedPrefixLength,
                    to: &$0)
            }
        }
    }

    @Test(
        "ReplacePrefixMatch: the table of Gateway API",
        arguments: [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"), ("/foo/", "/foo", "/xyz", "/xyz/"), ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"), ("/foo", "/foo", "", "/"), ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
        ])
    func replacePrefixMatch(path: String, prefix: String, replacement: String, result: String) throws {
        #expect(try rewritten(path, matching: prefix, by: .replacePrefixMatch(replacement)) == result)
    }

    @Test(
        "ReplacePrefixMatch: what the table leaves open",
        arguments: [
            ("/foo", "/foo", "/xyz/", "/xyz/"), ("/foo/", "/foo/", "/xyz/", "/xyz/"), ("/foo/bar", "/foo", "/", "/bar"),
            ("/bar", "/", "/xyz", "/xyz/bar"), ("/", "/", "/xyz", "/xyz/"), ("/bar", "/", "/", "/bar"),
            ("/bar", "/", "", "/bar"),
            ("/foo/bar/", "/foo", "/x/y", "/x/y/bar/"), ("/foo/bar", "/foo", "xyz", "/xyz/bar"),
            ("/foo", "/foo", "xyz", "/xyz"),
        ])
    func replacePrefixMatchBeyond(path: String, prefix: String, replacement: String, result: String) throws {
        #expect(try rewritten(path, matching: prefix, by: .replacePrefixMatch(replacement)) == result)
    }

    @Test(
        "ReplaceFullPath",
        arguments: [("/a/b", "/new", "/new"), ("/a", "", "/"), ("/a", "new/", "/new/"), ("/", "/x/", "/x/")])
    func replaceFullPath(path: String, replacement: String, result: String) throws {
        #expect(try rewritten(path, matching: "/", by: .replaceFullPath(replacement)) == result)
    }

    @Test(
        "What cannot stand in a path is percent-encoded",
        arguments: [
            ("/a b", "/a%20b"), ("/a\r\nX: y", "/a%0D%0AX:%20y"), ("/a?b=c#d", "/a%3Fb=c%23d"),
            ("/%41/~;=@", "/%41/~;=@"), ("/\u{E4}", "/\u{E4}"),
        ])
    func escapes(replacement: String, result: String) throws {
        #expect(try rewritten("/", matching: "/", by: .replaceFullPath(replacement)) == result)
    }
}
