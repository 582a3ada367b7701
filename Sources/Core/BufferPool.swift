import Glibc

/// Blocks of one size, kept for reuse by the buffers of one worker.
/// Holds at most `limit` free blocks; what comes back beyond that is freed. Not shared between threads.
public struct BufferPool: ~Copyable {
    public let blockSize: Int
    public let limit: Int
    /// Places for `limit` blocks, of which the first `kept` are taken. No array: one is asked at each change whether it is
    /// shared.
    private let free: UnsafeMutablePointer<UnsafeMutablePointer<UInt8>>
    private var kept = 0

    public init(blockSize: Int, limit: Int) {
        self.blockSize = blockSize
        self.limit = limit
        free = .allocate(capacity: max(1, limit))
    }

    deinit {
        for index in 0..<kept { Glibc.free(free[index]) }
        free.deallocate()
    }

    /// Gives `buffer` a block when it has no memory yet.
    public mutating func supply(_ buffer: inout ByteBuffer) {
        guard !buffer.hasMemory else { return }
        if kept > 0 {
            kept -= 1
            buffer.adoptMemory(free[kept], capacity: blockSize)
        } else {
            buffer.reserve(blockSize)
        }
    }

    /// Gives `buffer` a block in place of smaller memory, with what is in it at the same indices.
    /// - Returns: the smaller memory, empty; none, when the buffer had none or a block's size already.
    public mutating func enlarge(_ buffer: inout ByteBuffer) -> ByteBuffer {
        var other = ByteBuffer()
        guard buffer.capacity < blockSize else { return other }
        supply(&other)
        other.append(buffer.written)
        other.consume(buffer.start)
        swap(&other, &buffer)
        other.clear()
        return other
    }

    /// As ``reclaim(_:)``, but memory that is no block stays with the buffer, which is empty.
    public mutating func reclaimBlock(_ buffer: inout ByteBuffer) {
        if buffer.capacity == blockSize { reclaim(&buffer) } else { buffer.clear() }
    }

    /// Takes the memory of `buffer` back; whatever it held is gone. A block that has grown is freed.
    public mutating func reclaim(_ buffer: inout ByteBuffer) {
        guard let memory = buffer.takeMemory() else { return }
        if memory.capacity == blockSize, kept < limit {
            free[kept] = memory.base
            kept += 1
        } else {
            Glibc.free(memory.base)
        }
    }
}
