import Core
import HTTP
import Testing

@Suite("RFC 9110, section 12.5.3") struct AcceptEncodingTests {
    private static func read(_ lines: [String]) -> AcceptEncoding {
        var accepted = AcceptEncoding()
        for line in lines { line.withView { accepted.read($0) } }
        return accepted
    }

    /// Lines of the field; the weights of gzip, br, zstd.
    @Test(
        arguments: [
            ([], [0, 0, 0]), ([""], [0, 0, 0]), (["gzip"], [1000, 0, 0]), (["gzip, br;q=0.5"], [1000, 500, 0]),
            (["gzip", "zstd;q=0.25"], [1000, 0, 250]), (["*"], [1000, 1000, 1000]),
            (["*;q=0.1, gzip;q=0"], [0, 100, 100]),
            (["gzip;q=1.000, br;q=0.001"], [1000, 1, 0]), (["GZIP;Q=0.3"], [300, 0, 0]), (["x-gzip"], [1000, 0, 0]),
            (["gzip ; q=0.7"], [700, 0, 0]), (["gzip;q=1."], [1000, 0, 0]), (["gzip;q=0.3,gzip;q=0.9"], [300, 0, 0]),
            // No weights, so not named.
            (["gzip;q=2"], [0, 0, 0]), (["gzip;q=1.001"], [0, 0, 0]), (["gzip;q=0.1234"], [0, 0, 0]),
            (["gzip;q=-1"], [0, 0, 0]), (["gzip;q="], [0, 0, 0]), (["gzip;x=1"], [0, 0, 0]),
            (["gzip;q=0,5"], [0, 0, 0]),
            (["gzip;"], [0, 0, 0]), (["gzip;q=a"], [0, 0, 0]), ([",, ,br"], [0, 1000, 0]), (["gzipped"], [0, 0, 0]),
        ] as [([String], [UInt16])]) func weights(_ lines: [String], _ expected: [UInt16])
    {
        let accepted = Self.read(lines)
        #expect([.gzip, .brotli, .zstd].map { accepted.weight(of: $0) } == expected)
    }

    @Test(arguments: [
        ("gzip", true), ("gzip;q=0.5, identity", false), ("gzip;q=0.5, identity;q=0.5", true),
        ("gzip, identity;q=0", true), ("br", false), ("gzip;q=0", false), ("identity;q=0", false),
    ]) func asItIs(_ line: String, _ isCompressed: Bool) {
        let accepted = Self.read([line])
        #expect(accepted.prefers(accepted.weight(of: .gzip)) == isCompressed)
    }
}
