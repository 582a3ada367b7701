import Glibc

/// Memory for a library that asks for the same few blocks for every body: what it gives back is kept for the next.
///
/// Limit: ``keptBlocks``; what comes back beyond them is freed. A block is lent for a wish down to half of its size.
final class BlockCache {
    static let keptBlocks = 32

    private struct Block {
        var memory: UnsafeMutableRawPointer
        var size: Int
    }

    /// In front of each block: its size. As large as malloc's alignment, which what follows must keep.
    private static let header = 16

    private var free: [Block] = []
    /// Octets taken from the system and not given back to it.
    private(set) var octets = 0

    init() { free.reserveCapacity(Self.keptBlocks) }

    deinit { for block in free { Glibc.free(block.memory) } }

    static func from(_ pointer: UnsafeMutableRawPointer?) -> BlockCache {
        guard let pointer else { preconditionFailure("a library has lost its cache") }
        return Unmanaged<BlockCache>.fromOpaque(pointer).takeUnretainedValue()
    }

    func take(_ size: Int) -> UnsafeMutableRawPointer? {
        var best: Int?
        for index in free.indices where free[index].size >= size && free[index].size / 2 <= size {
            if best.map({ free[index].size < free[$0].size }) ?? true { best = index }
        }
        if let best {
            let block = free[best]
            free[best] = free[free.count - 1]
            free.removeLast()
            return block.memory + Self.header
        }
        guard size < Int.max - Self.header, let memory = malloc(size + Self.header) else { return nil }
        memory.storeBytes(of: size, as: Int.self)
        octets += size
        return memory + Self.header
    }

    func giveBack(_ pointer: UnsafeMutableRawPointer?) {
        guard let pointer else { return }
        let memory = pointer - Self.header
        let size = memory.load(as: Int.self)
        if free.count < Self.keptBlocks {
            free.append(Block(memory: memory, size: size))
        } else {
            octets -= size
            Glibc.free(memory)
        }
    }
}
