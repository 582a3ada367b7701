import HTTP
import Testing

@Suite struct MethodTests {
    @Test func safeToRepeat() { #expect(Method.allCases.filter(\.isIdempotent).count == 6) }
}
