import Core
import HTTP
import Testing

@Suite("RFC 6265, section 4.2.1") struct CookieViewTests {
    @Test(
        arguments: [
            ("a=1", "a", "1"), ("a=1; b=2", "b", "2"), ("a=1;b=2", "b", "2"), ("a=1; a=2", "a", "1"), ("a=1", "A", nil),
            ("a=\"1 2\"", "a", "1 2"), ("a=", "a", ""), ("a", "a", nil), ("ab=1", "a", nil), ("b=a=1", "a", nil),
            ("b=a=1", "b", "a=1"), ("", "a", nil), ("; ;a=1", "a", "1"), ("a=\"", "a", "\""), (" a = 1 ", "a", "1"),
            ("=1", "", "1"),
        ] as [(String, String, String?)]) func values(_ field: String, _ name: String, _ expected: String?)
    {
        let found = field.withView { field in name.withView { CookieView.firstValue(of: $0, in: field)?.string } }
        #expect(found == expected)
    }
}
