import Core
import HTTP
import Support
import Testing

/// What the gateway's parsers make of everything a client sent: the status of the refusal, or nil.
func judge(_ octets: [UInt8], cuts: [Int] = []) -> UInt16? {
    switch readRequest(octets, cuts: cuts) {
    case .incomplete: return 0
    case .refused(let refusal): return refusal.status
    case .complete(let request):
        if request.form == .origin || request.form == .absolute {
            var buffer = ByteBuffer()
            let outcome = Array(request.path.utf8).withView { PathNormalizer.normalise(path: $0, into: &buffer) }
            if case .refused(let refusal) = outcome { return refusal.status }
        }
        guard request.framing == .chunked else { return nil }
        switch readChunked(Array(octets[request.length...]), pieces: []) {
        case .complete: return nil
        case .refused(let refusal): return refusal.status
        case .incomplete: return 0
        }
    }
}

@Suite("Hostile requests") struct HostileRequestTests {
    @Test(arguments: HostileRequests.all) func outcome(_ hostile: HostileCase) {
        #expect(judge(hostile.octets) == hostile.expectedStatus)
    }

    @Test func tableIsLargeAndNamesAreUnique() {
        #expect(HostileRequests.all.count >= 150)
        #expect(Set(HostileRequests.all.map(\.name)).count == HostileRequests.all.count)
    }

    /// The outcome, down to the refusal and every range, does not depend on how the octets arrive.
    @Test(arguments: 1...8) func pieces(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        for hostile in HostileRequests.all {
            // An offence in a line may be told only when the line's LF is there.
            let octets = hostile.octets + [ASCII.lf]
            let whole = readRequest(octets)
            let cuts = randomCuts(octets.count, using: &random)
            let inPieces = readRequest(octets, cuts: cuts)
            #expect(inPieces == whole, "\(hostile.name), seed \(seed), cuts \(cuts)")
        }
    }

    /// One octet at a time, for all that are short enough.
    @Test func octetByOctet() {
        for hostile in HostileRequests.all where hostile.octets.count < 1000 {
            let octets = hostile.octets + [ASCII.lf]
            #expect(readRequest(octets, cuts: Array(1..<octets.count)) == readRequest(octets), "\(hostile.name)")
        }
    }
}

/// A few places to cut `count` octets at, in rising order.
func randomCuts(_ count: Int, using random: inout SeededRandom) -> [Int] {
    (0..<Int.random(in: 1...6, using: &random)).map { _ in Int.random(in: 0...count, using: &random) }.sorted()
}
