import HTTP

/// One worker's compressors, kept for reuse.
///
/// Limits: those that are lent hold ``memoryLimit`` octets at most, and ``keptLimit`` idle ones of each coding are kept. Who
/// asks for more gets none, and sends the content as it is: it is better large than late.
public final class CompressorPool {
    public static let keptLimit = 8
    /// Octets; some 3,000 bodies in gzip, 200 in zstd, 110 in Brotli at once.
    public static let memoryLimit = 128 << 20

    /// Octets that a compressor holds at most, whatever the body.
    public static func memory(of coding: ContentCoding) -> Int {
        switch coding {
        case .gzip: 40 << 10
        case .brotli: 1152 << 10
        case .zstd: 640 << 10
        }
    }

    private var gzip: [Compressor] = []
    private var brotli: [Compressor] = []
    private var zstd: [Compressor] = []
    /// Octets of those that are lent.
    private(set) var lentMemory = 0

    public init() {}

    /// A compressor at the beginning of a body; nil: none is to be had now.
    public func lease(_ coding: ContentCoding) -> Compressor? {
        let memory = Self.memory(of: coding)
        guard lentMemory + memory <= Self.memoryLimit else { return nil }
        let leased: Compressor? =
            switch coding {
            case .gzip: gzip.popLast() ?? GzipCompressor()
            case .brotli: brotli.popLast() ?? BrotliCompressor()
            case .zstd: zstd.popLast() ?? ZstdCompressor()
            }
        guard let leased else { return nil }
        lentMemory += memory
        leased.begin()
        return leased
    }

    /// It may be in the middle of a body.
    public func giveBack(_ compressor: Compressor) {
        let memory = Self.memory(of: compressor.coding)
        precondition(lentMemory >= memory, "a compressor comes back that was not lent")
        lentMemory -= memory
        switch compressor.coding {
        case .gzip: if gzip.count < Self.keptLimit { gzip.append(compressor) }
        case .brotli: if brotli.count < Self.keptLimit { brotli.append(compressor) }
        case .zstd: if zstd.count < Self.keptLimit { zstd.append(compressor) }
        }
    }
}
