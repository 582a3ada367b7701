import Config
import Testing

@Suite("HTTPPathMatch") struct PathMatchTests {
    @Test(
        "PathPrefix: whole segments, the trailing slash ignored",
        arguments: [
            ("/", "/", true), ("/", "/foo", true), ("/", "", true), ("/foo", "/foo", true), ("/foo", "/foo/", true),
            ("/foo", "/foo/bar", true), ("/foo", "/foobar", false), ("/foo", "/fo", false), ("/foo", "/", false),
            ("/foo/", "/foo", true), ("/foo/", "/foo/", true), ("/foo/", "/foo/bar", true), ("/foo/", "/foobar", false),
            ("/foo", "/Foo", false), ("/foo/bar", "/foo/bar/baz/qux", true), ("/foo/bar", "/foo/barbaz", false),
            ("/foo/bar", "/foo", false), ("/foo", "", false), ("/%C3%A4", "/%C3%A4/x", true),
        ])
    func prefix(prefix: String, path: String, matches: Bool) throws {
        let table = try TestTable(.matches([.init(path: .prefix(prefix))]))
        #expect((table.winner(.init(path)) == "r 0.0") == matches)
    }

    @Test(
        "Exact: octet for octet",
        arguments: [
            ("/foo", "/foo", true), ("/foo", "/foo/", false), ("/foo/", "/foo", false), ("/foo/", "/foo/", true),
            ("/foo", "/FOO", false), ("/", "/", true), ("/", "", false), ("/foo", "/foo?q", true),
        ])
    func exact(wanted: String, target: String, matches: Bool) throws {
        let table = try TestTable(.matches([.init(path: .exact(wanted))]))
        #expect((table.winner(.init(target)) == "r 0.0") == matches)
    }

    @Test(
        "RegularExpression: the whole path",
        arguments: [
            ("/foo", "/foo", true), ("/foo", "/foo/", false), ("foo", "/foo", false), (".*foo", "/foo", true),
            ("/a|/ab", "/ab", true), ("/v[0-9]+/.*", "/v12/x", true), ("/v[0-9]+/.*", "/v/x", false),
            ("/foo$", "/foo", true), ("^/foo", "/foo/bar", false), ("/(?i)FOO", "/foo", true),
        ])
    func expression(expression: String, path: String, matches: Bool) throws {
        let table = try TestTable(.matches([.init(path: .regularExpression(expression))]))
        #expect((table.winner(.init(path)) == "r 0.0") == matches)
    }

    @Test func theMatchedPrefixIsToldWithoutItsTrailingSlash() throws {
        let table = try TestTable(
            .matches([.init(path: .prefix("/")), .init(path: .prefix("/foo/")), .init(path: .exact("/foo/exact"))]))
        #expect(table.decide(.init("/foo/bar")).matchedPrefixLength == 4)
        #expect(table.decide(.init("/bar")).matchedPrefixLength == 0)
        #expect(table.decide(.init("/foo/exact")).matchedPrefixLength == 0)
    }

    @Test func prefixesDeeperThanTheDepthMaskAreFound() throws {
        let deep = String(repeating: "/a", count: 80)
        let deeper = String(repeating: "/a", count: 200)
        let table = try TestTable(
            .matches([.init(path: .prefix(deep)), .init(path: .prefix(deeper)), .init(path: .prefix("/a"))]))
        #expect(table.winner(.init(deep + "/b")) == "r 0.0")
        #expect(table.winner(.init(deeper)) == "r 1.0")
        #expect(table.winner(.init(deeper + "/a/a")) == "r 1.0")
        #expect(table.winner(.init(String(repeating: "/a", count: 79))) == "r 2.0")
    }
}
