import Core
import HTTP
import Testing

@Suite("RFC 9110, section 5.6.7") struct HTTPDateTests {
    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"), (Int64.min, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ] as [(Int64, String)]) func dates(_ seconds: Int64, _ expected: String)
    {
        var date = HTTPDate()
        #expect(date.view(unixSeconds: seconds).string == expected)
        #expect(expected.utf8.count == HTTPDate.octets)
    }

    @Test func keepsTheSecondAndLeavesIt() {
        var date = HTTPDate()
        var buffer = ByteBuffer()
        for seconds: Int64 in [59, 59, 60] { date.write(unixSeconds: seconds, to: &buffer) }
        #expect(
            buffer.view.string
                == "Thu, 01 Jan 1970 00:00:59 GMTThu, 01 Jan 1970 00:00:59 GMTThu, 01 Jan 1970 00:01:00 GMT")
    }
}
