import CNghttp2
import Glibc

/// The memory of nghttp2's small objects (streams, frames, fields), which come and go several times a request: kept in lists
/// by size instead of being given to the C library's allocator and taken again, which cost a twentieth of a request.
///
/// Owned by ``HTTP2Library``; sessions refer to it, so it outlives them. Belongs to one thread.
/// Limits: blocks of up to ``largest`` octets; ``kept`` octets of free blocks, the rest goes back.
final class HTTP2Memory {
    /// Sizes of blocks are multiples of this.
    static let step = 32
    static let largest = 1024
    static let kept = 2 << 20
    /// In front of each block: its size in steps; 0 for a large one, and behind it its octets. Keeps malloc's alignment.
    private static let header = 16

    private let free: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private var freeOctets = 0
    /// What nghttp2 is given.
    let functions: UnsafeMutablePointer<nghttp2_mem>

    init() {
        let lists = Self.largest / Self.step + 1
        free = .allocate(capacity: lists)
        free.initialize(repeating: nil, count: lists)
        functions = .allocate(capacity: 1)
        functions.initialize(to: nghttp2_mem())
        functions.pointee.mem_user_data = Unmanaged.passUnretained(self).toOpaque()
        functions.pointee.malloc = { size, user in HTTP2Memory.of(user) { $0.allocate(size) } }
        functions.pointee.calloc = { count, size, user in
            let (octets, overflows) = count.multipliedReportingOverflow(by: size)
            guard !overflows, let block = HTTP2Memory.of(user, { $0.allocate(octets) }) else { return nil }
            memset(block, 0, octets)
            return block
        }
        functions.pointee.free = { block, user in
            if let block { HTTP2Memory.of(user) { $0.release(block) } }
        }
        functions.pointee.realloc = { block, size, user in HTTP2Memory.of(user) { $0.resize(block, size) } }
    }

    deinit {
        for list in 0...(Self.largest / Self.step) {
            while let block = free[list] {
                free[list] = block.load(as: UnsafeMutableRawPointer?.self)
                Glibc.free(block - Self.header)
            }
        }
        free.deallocate()
        functions.deallocate()
    }

    @inline(__always) private static func of<R>(
        _ user: UnsafeMutableRawPointer?, _ body: (HTTP2Memory) -> R
    ) -> R {
        Unmanaged<HTTP2Memory>.fromOpaque(user.unsafelyUnwrapped)._withUnsafeGuaranteedRef(body)
    }

    private func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        let steps = (max(size, 1) + Self.step - 1) / Self.step
        guard size <= Self.largest else {
            guard let base = Glibc.malloc(size + Self.header) else { return nil }
            base.storeBytes(of: 0, as: Int.self)
            base.storeBytes(of: size, toByteOffset: 8, as: Int.self)
            return base + Self.header
        }
        if let block = free[steps] {
            free[steps] = block.load(as: UnsafeMutableRawPointer?.self)
            freeOctets -= steps * Self.step
            return block
        }
        guard let base = Glibc.malloc(steps * Self.step + Self.header) else { return nil }
        base.storeBytes(of: steps, as: Int.self)
        return base + Self.header
    }

    private func release(_ block: UnsafeMutableRawPointer) {
        let base = block - Self.header
        let steps = base.load(as: Int.self)
        guard steps > 0, freeOctets < Self.kept else { return Glibc.free(base) }
        block.storeBytes(of: free[steps], as: UnsafeMutableRawPointer?.self)
        free[steps] = block
        freeOctets += steps * Self.step
    }

    private func resize(_ block: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
        guard let block else { return allocate(size) }
        let base = block - Self.header
        let steps = base.load(as: Int.self)
        if steps == 0, size > Self.largest {
            guard let moved = Glibc.realloc(base, size + Self.header) else { return nil }
            moved.storeBytes(of: size, toByteOffset: 8, as: Int.self)
            return moved + Self.header
        }
        let room = steps == 0 ? base.load(fromByteOffset: 8, as: Int.self) : steps * Self.step
        if size <= room, steps > 0 { return block }
        guard let moved = allocate(size) else { return nil }
        memcpy(moved, block, min(room, size))
        release(block)
        return moved
    }
}
