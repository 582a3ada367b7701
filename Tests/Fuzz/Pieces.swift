import Glibc

/// Turns a fuzzer's input into octets and places to cut them at: the first octet seeds the cuts, the rest is the message.
struct Pieces {
    let octets: [UInt8]
    let cuts: [Int]
    let seed: UInt8

    init(_ data: UnsafePointer<UInt8>, _ count: Int) {
        seed = count > 0 ? data[0] : 0
        octets = count > 1 ? Array(UnsafeBufferPointer(start: data + 1, count: count - 1)) : []
        var random = SeededRandom(seed: UInt64(seed))
        // Every sixteenth seed goes octet by octet.
        if seed % 16 == 0 {
            cuts = Array(0...octets.count)
        } else {
            let total = octets.count
            cuts = (0..<Int(seed % 5)).map { _ in Int(random.next() % UInt64(total + 1)) }.sorted() + [total]
        }
    }
}

extension Pieces {
    /// Other octets with the same cuts, and one at their end.
    init(octets: [UInt8], from other: Pieces) {
        self.octets = octets
        cuts = other.cuts + [octets.count]
        seed = other.seed
    }
}

/// A property that must hold does not: the fuzzer keeps the input.
func check(_ holds: Bool, _ what: StaticString) {
    if !holds { fatalError("\(what)") }
}
