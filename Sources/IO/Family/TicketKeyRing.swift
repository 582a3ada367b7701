import CLinux
import Core

/// The keys of TLS session tickets, in the family's shared memory behind the live state: the same for all workers, they
/// outlive every process but the supervisor, reloads and crashes included (RFC 8446, section 4.6.1; RFC 5077, section 5.5).
///
/// Four places for three keys: the controller writes the one that nobody reads, then says that it is the newest. So readers
/// need no lock, unless one is asleep for two rotations in the middle of a copy of 240 octets.
public struct TicketKeyRing {
    /// Octets of a key: 16 of its name, 32 for AES-256, 32 for HMAC-SHA-256.
    public static let keyOctets = 80
    /// Keys that open tickets; the newest seals.
    public static let kept = 3
    private static let places = 4
    /// A key seals for so long, and opens for two such spans more.
    public static let lifetime = TimeAmount.seconds(12 * 3600)
    public static let size = MemoryLayout<Header>.size + places * keyOctets

    private struct Header: BitwiseCopyable {
        /// Keys made so far; the newest is at `(rotations - 1) % places`. 0: none yet.
        var rotations: UInt64
        /// Wall clock, nanoseconds since 1970.
        var rotatedAt: Int64
    }

    private let base: UnsafeMutableRawPointer
    private var header: UnsafeMutablePointer<Header> { base.assumingMemoryBound(to: Header.self) }

    /// - Parameter base: `size` octets of shared memory, zero at first, aligned to eight.
    public init(base: UnsafeMutableRawPointer) { self.base = base }

    /// Whether there are keys at all.
    public var isEmpty: Bool { header.pointee.rotations == 0 }

    /// When the next key is due, by the wall clock; in the past for an empty ring.
    public var dueAt: Int64 { isEmpty ? 0 : header.pointee.rotatedAt + Self.lifetime.nanoseconds }

    private func place(_ number: UInt64) -> UnsafeMutableRawPointer {
        base + MemoryLayout<Header>.size + Int(number % UInt64(Self.places)) * Self.keyOctets
    }

    /// Makes a key of chance the newest. The controller's alone.
    public func rotate(wallNow: Int64) {
        let next = header.pointee.rotations
        SystemCalls.fillWithChance(UnsafeMutableRawBufferPointer(start: place(next), count: Self.keyOctets))
        clinux_release_fence()
        header.pointee = Header(rotations: next + 1, rotatedAt: wallNow)
    }

    /// Appends the keys in force, the newest first, each of `keyOctets`. Nothing when there are none.
    public func copy(to buffer: inout ByteBuffer) {
        let rotations = header.pointee.rotations
        clinux_acquire_fence()
        for back in 1...UInt64(Self.kept) where back <= rotations {
            buffer.append(
                ByteView(place(rotations - back).assumingMemoryBound(to: UInt8.self), count: Self.keyOctets))
        }
    }
}
