import Core
import HTTP
import Testing

@Suite("RFC 9112, section 3.2, and RFC 3986, section 3.2") struct AuthorityTests {
    @Test(
        arguments: [
            ("a", "a", nil), ("a.example", "a.example", nil), ("a.example:80", "a.example", 80),
            ("a.example.", "a.example", nil),
            ("a.example.:1", "a.example", 1), ("a.b.c.d.e.f.g.h.i.j.k:65535", "a.b.c.d.e.f.g.h.i.j.k", 65535),
            ("[::]", "[::]", nil), ("[1:2:3:4:5:6:7:8]:9", "[1:2:3:4:5:6:7:8]", 9), ("[::1.2.3.4]", "[::1.2.3.4]", nil),
            ("[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", nil), ("[1::]", "[1::]", nil),
            ("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7::]", nil),
            (
                "a-long-name.of-more.than.sixteen-octets.example:00080",
                "a-long-name.of-more.than.sixteen-octets.example", 80
            ),
        ] as [(String, String, UInt16?)]) func legal(_ text: String, _ host: String, _ port: UInt16?)
    {
        let authority = text.withView { Authority($0) }
        #expect(authority.map { String(text.prefix($0.hostLength)) } == host)
        #expect(authority?.port == port)
    }

    @Test(arguments: [
        "", ".", "..", "a..b", ".a", "a..", "a:", "a:0", "a:65536", "a:99999", "a:123456", "a:+1", "a:1a", ":1", "a b",
        "a@b", "a/b", "a,b", "a%41", "[", "[]", "[:]", "[:::]", "[1]", "[1:2]", "[1:2:3:4:5:6:7:8:9]", "[::1::]",
        "[1:2:3:4:5:6:7:8::]", "[::1:2:3:4:5:6:7:8]", "[g::]", "[::1", "[::1]a", "[::1]:", "[::1]:0", "[12345::]",
        "[::1.2.3]",
        "[::1.2.3.4.5]", "[::1.2.3.256]", "[::01.2.3.4]", "[1.2.3.4]", "[1:2:3:4:5:6:7:1.2.3.4]", "[1.2.3.4::]",
        "[fe80::1%25a]",
        "a-name.of-more.than.sixteen..octets", "a-name.of-more.than.sixteen,octets",
    ]) func illegal(_ text: String) { #expect(text.withView { Authority($0) } == nil) }

    @Test func length() {
        #expect(String(repeating: "a", count: 254).withView { Authority($0) } != nil)
        #expect(String(repeating: "a", count: 255).withView { Authority($0) } == nil)
    }
}
