import Core
import HTTP
import Testing

@Suite("RFC 9110, section 8.6") struct ContentLengthTests {
    private func parsed(_ text: String) -> Result<UInt64, ContentLengthError> {
        text.withView { view in
            do throws(ContentLengthError) { return .success(try parseContentLength(view)) } catch {
                return .failure(error)
            }
        }
    }

    @Test(
        arguments: [
            ("0", 0), ("7", 7), ("007", 7), ("9223372036854775807", 9_223_372_036_854_775_807), ("5,5", 5),
            ("5 ,\t5 , 05", 5),
        ] as [(String, UInt64)]) func legal(_ text: String, _ length: UInt64)
    { #expect(parsed(text) == .success(length)) }

    @Test(arguments: [
        "", " ", ",", "5,", ",5", "5,,5", "+5", "-5", "5 5", "0x5", "5a", "5.", "1e3", "9223372036854775808",
        "18446744073709551616", "00000000000000000005",
    ]) func illegal(_ text: String) { #expect(parsed(text) == .failure(.illegal)) }

    @Test(arguments: ["5,6", "5, 5, 6", "0,5"]) func conflicting(_ text: String) {
        #expect(parsed(text) == .failure(.conflicting))
    }
}
