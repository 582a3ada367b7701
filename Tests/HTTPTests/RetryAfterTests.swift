import Core
import HTTP
import Testing

@Suite("RFC 9110, section 10.2.3") struct RetryAfterTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    static let now: Int64 = 784_111_777

    @Test(
        arguments: [
            ("0", 0), ("7", 7), ("120", 120), ("99999999999999999999", nil), ("9999999999", 86_400), ("", nil),
            ("-1", nil), ("1.5", nil), ("soon", nil), ("7 ", nil),
            ("Sun, 06 Nov 1994 08:49:47 GMT", 10), ("Sun, 06 Nov 1994 08:49:27 GMT", 0),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60), ("Sun Nov  6 09:49:37 1994", 3600),
            ("Mon, 07 Nov 1994 08:49:37 GMT", 86_400), ("Sun, 06 Nov 2094 08:49:37 GMT", 86_400),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 06 Foo 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 25:49:37 GMT", nil), ("Sun, 06 Nov 1994", nil), (",", nil),
            ("Sun, 00 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 08-49-37 GMT", nil),
        ] as [(String, Int64?)]) func waits(_ text: String, _ seconds: Int64?)
    {
        let wait = text.withView { RetryAfter.parse($0, unixSeconds: Self.now) }
        #expect(wait == seconds.map { .seconds($0) })
    }

    /// What is written is read as what it was.
    @Test(
        arguments: [
            0, 951_782_400, 951_868_799, 951_868_800, 1_709_164_800, 4_107_542_400, 253_402_300_799, -62_135_596_800,
        ] as [Int64]) func datesAreReadBack(_ seconds: Int64)
    {
        var date = HTTPDate()
        #expect(HTTPDate.parse(date.view(unixSeconds: seconds)) == seconds)
    }
}
