import Core
import Testing

@testable import Manifest

@Suite struct GatewayDurations {
    @Test(arguments: [
        ("0s", 0), ("10s", 10_000), ("1h30m", 5_400_000), ("1m10s500ms", 70_500), ("99999h", 359_996_400_000),
        ("5ms", 5),
    ]) func areSummed(_ text: String, _ milliseconds: Int64) {
        #expect(GatewayDuration.parse(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "10", "s", "1d", "1.5s", "-1s", "123456s", "1h 2m"]) func areRefused(_ text: String) {
        #expect(GatewayDuration.parse(text) == nil)
    }
}

@Suite struct Timestamps {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("2026-11-21T14:00:00Z", 1_795_269_600), ("2024-02-29T23:59:59Z", 1_709_251_199),
        ("2000-03-01T00:00:00+01:00", 951_865_200), ("1969-12-31T23:59:59Z", -1),
    ]) func areSecondsSince1970(_ text: String, _ seconds: Int64) {
        #expect(text.withView { Timestamp.nanoseconds($0) } == seconds * 1_000_000_000)
    }

    @Test func keepTheirFraction() {
        #expect("1970-01-01T00:00:01.25Z".withView { Timestamp.nanoseconds($0) } == 1_250_000_000)
    }

    @Test(arguments: [
        "", "2026-11-21", "2026-11-21T14:00:00", "2026-13-21T14:00:00Z", "2026-11-21 14:00:00Z",
        "2026-11-21T14:00:00Zx",
        "2026-11-21T14:00:00+0100", "yesterday, at about noon",
    ]) func areRefusedOtherwise(_ text: String) {
        #expect(text.withView { Timestamp.nanoseconds($0) } == nil)
    }
}

@Suite struct Base64Text {
    @Test(arguments: [
        ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9v\nYmFy\n", "foobar"),
    ]) func isDecoded(_ text: String, _ plain: String) {
        #expect(text.withView { Base64.decode($0) } == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zg===", "Z!==", "Zg==Zg==", "===="]) func isRefused(_ text: String) {
        #expect(text.withView { Base64.decode($0) } == nil)
    }
}
