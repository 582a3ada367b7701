import Core
import Glibc

/// A growable run of plain records with one owner: the arena that nodes and their text live in.
/// Reading past the end is a trap. Memory doubles; ``trim()`` gives back what was not used.
struct Slab<Element: BitwiseCopyable>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>?
    private(set) var count = 0
    private var capacity = 0

    deinit { free(base) }

    subscript(index: Int) -> Element {
        get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "read past the end of a slab")
            return base.unsafelyUnwrapped[index]
        }
        _modify {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "write past the end of a slab")
            yield &base.unsafelyUnwrapped[index]
        }
    }

    mutating func append(_ element: Element) {
        if count == capacity { reserve(max(16, capacity * 2)) }
        base.unsafelyUnwrapped[count] = element
        count += 1
    }

    /// Appends a copy of `length` elements that start at `start`.
    mutating func appendCopy(of start: Int, length: Int) {
        precondition(start >= 0 && length >= 0 && start + length <= count)
        makeRoom(length)
        guard length > 0 else { return }
        memcpy(base.unsafelyUnwrapped + count, base.unsafelyUnwrapped + start, length * MemoryLayout<Element>.stride)
        count += length
    }

    mutating func truncate(to newCount: Int) {
        precondition(newCount >= 0 && newCount <= count)
        count = newCount
    }

    /// Makes the memory exactly as large as what is in it.
    mutating func trim() {
        guard capacity > count else { return }
        if count == 0 {
            free(base)
            base = nil
            capacity = 0
        } else if let smaller = realloc(base, count * MemoryLayout<Element>.stride) {
            base = smaller.assumingMemoryBound(to: Element.self)
            capacity = count
        }
    }

    mutating func reserve(_ wanted: Int) {
        guard wanted > capacity else { return }
        guard let grown = realloc(base, wanted * MemoryLayout<Element>.stride) else { fatalError("out of memory") }
        base = grown.assumingMemoryBound(to: Element.self)
        capacity = wanted
    }

    private mutating func makeRoom(_ more: Int) {
        if capacity - count < more { reserve(max(capacity * 2, count + more)) }
    }
}

extension Slab where Element == UInt8 {
    mutating func append(_ view: ByteView) {
        guard let source = view.base, view.count > 0 else { return }
        makeRoom(view.count)
        memcpy(base.unsafelyUnwrapped + count, source, view.count)
        count += view.count
    }

    /// The octets of `range`; valid until the slab is next written.
    func view(_ start: Int, _ length: Int) -> ByteView {
        precondition(start >= 0 && length >= 0 && start + length <= count)
        guard let base, length > 0 else { return .empty }
        return ByteView(UnsafePointer(base + start), count: length)
    }
}
