import AllocationCount
import Core
import HTTP
import Testing

@testable import Compression

@Suite("Compressors") struct CompressorTests {
    /// Text that repeats itself a little, as texts do.
    private static func content(_ octets: Int, seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        let words = ["gateway ", "route ", "backend ", "{\"name\": ", "endpoint", "\n", "0123456789", "ü"]
        var content: [UInt8] = []
        while content.count < octets {
            let draw = random.next()
            content += Array(words[Int(draw % UInt64(words.count))].utf8)
            if draw % 5 == 0 { content.append(UInt8(truncatingIfNeeded: draw >> 32)) }
        }
        return Array(content.prefix(octets))
    }

    /// Compresses `content` cut into pieces of seeded lengths.
    private static func compress(
        _ content: [UInt8], _ compressor: Compressor, seed: UInt64, flushing: Bool = false
    ) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        var output = ByteBuffer()
        var at = 0
        while at < content.count {
            let end = min(content.count, at + 1 + Int(random.next() % 9000))
            #expect(content.withView { compressor.take($0[at..<end], to: &output) })
            if flushing, random.next() % 3 == 0 {
                let flushed = compressor.flush(to: &output)
                #expect(flushed)
            }
            at = end
        }
        let ended = compressor.end(to: &output)
        #expect(ended)
        return output.view.array
    }

    @Test(arguments: ContentCoding.allCases, [0, 1, 29, 4096, 8192, 70_001, 1_000_000])
    func whatComesOutIsWhatWentIn(_ coding: ContentCoding, _ octets: Int) throws {
        let pool = CompressorPool()
        for seed in UInt64(1)...4 {
            let content = Self.content(octets, seed: seed)
            let compressor = try #require(pool.lease(coding))
            let coded = Self.compress(content, compressor, seed: seed, flushing: seed % 2 == 0)
            pool.giveBack(compressor)
            let decoded = try #require(Decoding.decode(coded, coding), "seed \(seed)")
            #expect(decoded.isComplete, "seed \(seed)")
            #expect(decoded.content == content, "seed \(seed)")
            if octets > 4096 { #expect(coded.count < octets * 3 / 4, "seed \(seed)") }
        }
    }

    @Test(arguments: ContentCoding.allCases) func whatIsFlushedCanBeRead(_ coding: ContentCoding) throws {
        let pool = CompressorPool()
        let compressor = try #require(pool.lease(coding))
        var output = ByteBuffer()
        var sent: [UInt8] = []
        for index in 0..<20 {
            let event = Array("data: event number \(index)\n\n".utf8)
            sent += event
            #expect(event.withView { compressor.take($0, to: &output) })
            #expect(compressor.holdsBack)
            let flushed = compressor.flush(to: &output)
            #expect(flushed)
            let decoded = try #require(Decoding.decode(output.view.array, coding))
            #expect(decoded.content == sent)
            #expect(!decoded.isComplete)
            let before = output.count
            let again = compressor.flush(to: &output)
            #expect(again && output.count == before, "nothing is held back, and something came out")
        }
    }

    /// A body that broke off leaves nothing behind for the next.
    @Test(arguments: ContentCoding.allCases) func aBodyThatBrokeOff(_ coding: ContentCoding) throws {
        let pool = CompressorPool()
        let first = try #require(pool.lease(coding))
        var output = ByteBuffer()
        #expect(Self.content(50_000, seed: 3).withView { first.take($0, to: &output) })
        pool.giveBack(first)
        let second = try #require(pool.lease(coding))
        #expect(second === first)
        let content = Self.content(1000, seed: 4)
        let decoded = try #require(Decoding.decode(Self.compress(content, second, seed: 1), coding))
        #expect(decoded.content == content)
    }

    @Test(arguments: ContentCoding.allCases) func nothingIsAllocatedInTheSteadyState(_ coding: ContentCoding) {
        let pool = CompressorPool()
        let content = Self.content(300_000, seed: 9)
        var output = ByteBuffer(capacity: 1 << 20)
        func body() {
            // The macros allocate.
            guard let compressor = pool.lease(coding) else { preconditionFailure("the pool is empty") }
            content.withView { view in
                var at = 0
                while at < view.count {
                    let end = min(view.count, at + 8192)
                    _ = compressor.take(view[at..<end], to: &output)
                    at = end
                }
            }
            _ = compressor.end(to: &output)
            output.clear()
            pool.giveBack(compressor)
        }
        for _ in 0..<3 { body() }
        let before = allocation_count()
        body()
        let allocations = allocation_count() - before
        #expect(allocations == 0)
    }

    /// What the room's page promises of memory.
    @Test func memoryDoesNotGrowWithTheBody() throws {
        let content = Self.content(4_000_000, seed: 5)
        for coding in ContentCoding.allCases {
            let most = CompressorPool.memory(of: coding)
            let pool = CompressorPool()
            var output = ByteBuffer(capacity: 4 << 20)
            let before = live_octets()
            let compressor = try #require(pool.lease(coding))
            content.withView { view in
                var at = 0
                while at < view.count {
                    let end = min(view.count, at + 8192)
                    _ = compressor.take(view[at..<end], to: &output)
                    output.clear()
                    at = end
                }
            }
            let held = live_octets() - before
            #expect(held <= most, "\(coding) holds \(held) octets")
            pool.giveBack(compressor)
        }
    }

    @Test func thePoolHasALimit() throws {
        let pool = CompressorPool()
        var lent: [Compressor] = []
        while let compressor = pool.lease(.brotli) { lent.append(compressor) }
        #expect(lent.count == CompressorPool.memoryLimit / CompressorPool.memory(of: .brotli))
        pool.giveBack(lent.removeLast())
        #expect(pool.lease(.brotli) != nil)
        for compressor in lent { pool.giveBack(compressor) }
        #expect(pool.lentMemory == CompressorPool.memory(of: .brotli))
    }
}

@Suite("Compressible media types") struct CompressibleTypeTests {
    @Test(arguments: [
        ("text/html", true), ("text/html; charset=utf-8", true), ("TEXT/Plain", true), ("application/json", true),
        ("application/json;charset=utf-8", true), ("image/svg+xml", true), ("application/xhtml+xml", true), ("", true),
        ("text/event-stream", false), ("image/png", false), ("application/octet-stream", false),
        ("application/grpc", false), ("text", false), ("text/", false), ("application/jsonx", false),
        ("video/mp4", false), ("/", false), (";", true),
    ]) func types(_ type: String, _ expected: Bool) {
        #expect(type.withView { CompressibleType.contains($0) } == expected)
    }
}
