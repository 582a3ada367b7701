import CBrotli
import Core
import HTTP

/// Brotli (RFC 7932), quality 3 as Envoy has it, with a window of 64 KiB.
///
/// The library cannot begin a second body with the same encoder, so each has one of its own; the blocks that it is made of
/// come from a ``BlockCache`` of this object and go back there, so that from the second body on nothing is allocated.
final class BrotliCompressor: Compressor {
    static let quality: UInt32 = 3
    /// Base 2 logarithm.
    static let windowBits: UInt32 = 16

    private let blocks = BlockCache()
    private var encoder: OpaquePointer?

    init?() {
        super.init(.brotli)
        start()
        if encoder == nil { return nil }
    }

    deinit { if let encoder { BrotliEncoderDestroyInstance(encoder) } }

    override func begin() {
        holdsBack = false
        if let encoder { BrotliEncoderDestroyInstance(encoder) }
        start()
    }

    private func start() {
        encoder = BrotliEncoderCreateInstance(
            { cache, size in BlockCache.from(cache).take(size) },
            { cache, block in BlockCache.from(cache).giveBack(block) },
            Unmanaged.passUnretained(blocks).toOpaque())
        guard let encoder else { return }
        BrotliEncoderSetParameter(encoder, BROTLI_PARAM_QUALITY, Self.quality)
        BrotliEncoderSetParameter(encoder, BROTLI_PARAM_LGWIN, Self.windowBits)
    }

    override func run(_ content: ByteView, _ step: Step, to output: inout ByteBuffer) -> Bool {
        guard let encoder else { return false }
        let operation =
            switch step {
            case .proceed: BROTLI_OPERATION_PROCESS
            case .flush: BROTLI_OPERATION_FLUSH
            case .finish: BROTLI_OPERATION_FINISH
            }
        var available = content.count
        var next = content.base
        while true {
            output.makeRoom(Self.outputStep)
            let offered = output.room
            var room = offered
            var place: UnsafeMutablePointer<UInt8>? = output.writePointer
            let isGoing = BrotliEncoderCompressStream(encoder, operation, &available, &next, &room, &place, nil)
            output.didWrite(offered - room)
            guard isGoing != 0 else { return false }
            if available > 0 || BrotliEncoderHasMoreOutput(encoder) != 0 { continue }
            if step != .finish || BrotliEncoderIsFinished(encoder) != 0 { return true }
        }
    }

    /// Octets that the library has taken for it, in use or kept.
    var memory: Int { blocks.octets }
}
