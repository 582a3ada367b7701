import CZlib
import Core
import HTTP

/// gzip (RFC 1952) by zlib, in Envoy's default setting: a window of 4 KiB and memory level 5, so that a body costs 32 KiB
/// where zlib's own setting costs 256.
final class GzipCompressor: Compressor {
    /// Base 2 logarithm of the window.
    static let windowBits: Int32 = 12
    /// Added to the window's bits: with the header and trailer of gzip (zlib.h, deflateInit2).
    private static let gzipHeader: Int32 = 16
    static let memoryLevel: Int32 = 5

    /// On the heap and not moved: zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>

    init?() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        super.init(.gzip)
        let result = deflateInit2_(
            stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, Self.windowBits + Self.gzipHeader, Self.memoryLevel,
            Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { return nil }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    override func begin() {
        holdsBack = false
        let result = deflateReset(stream)
        precondition(result == Z_OK, "a stream of zlib is broken")
    }

    override func run(_ content: ByteView, _ step: Step, to output: inout ByteBuffer) -> Bool {
        let mode =
            switch step {
            case .proceed: Z_NO_FLUSH
            case .flush: Z_SYNC_FLUSH
            case .finish: Z_FINISH
            }
        // zlib only reads what `next_in` points to; its type has lost the `const`.
        stream.pointee.next_in = content.base.map { UnsafeMutablePointer(mutating: $0) }
        stream.pointee.avail_in = UInt32(content.count)
        while true {
            output.makeRoom(Self.outputStep)
            let room = output.room
            stream.pointee.next_out = output.writePointer
            stream.pointee.avail_out = UInt32(room)
            let result = deflate(stream, mode)
            output.didWrite(room - Int(stream.pointee.avail_out))
            switch result {
            case Z_STREAM_END: return true
            case Z_OK, Z_BUF_ERROR:
                // What did not fit is still inside; with room left over, all is done.
                if stream.pointee.avail_out > 0, step != .finish { return stream.pointee.avail_in == 0 }
                if stream.pointee.avail_out > 0, result == Z_BUF_ERROR { return false }
            default: return false
            }
        }
    }
}
