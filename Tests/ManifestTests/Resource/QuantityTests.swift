import Testing

@testable import Manifest

@Suite("Numbers of octets") struct QuantityTests {
    @Test(
        arguments: [
            ("1", 1), ("512", 512), ("32Ki", 32768), ("50M", 50_000_000), ("1Gi", 1 << 30), ("7k", 7000),
            ("2Ti", 2 << 40),
            ("7Ei", 7 << 60),
        ] as [(String, Int64)]) func value(_ text: String, _ octets: Int64)
    { #expect(Quantity.octets(text) == octets) }

    @Test(arguments: ["", "Ki", "8Ei", "1.5Gi", "-1", "5K", "5 Ki", "99999999999999999999"])
    func none(_ text: String) { #expect(Quantity.octets(text) == nil) }
}
