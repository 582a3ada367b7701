import CZstd
import Core
import HTTP

/// zstd (RFC 8878), level 3, with a window of 64 KiB: the level's own window of 2 MiB would cost every body some three.
final class ZstdCompressor: Compressor {
    static let level: Int32 = 3
    /// Base 2 logarithms. RFC 8878, section 3.1.1.1.2 has receivers take windows of 8 MiB; ours is far below.
    static let windowLog: Int32 = 16
    static let tableLog: Int32 = 14

    private let context: OpaquePointer

    init?() {
        guard let made = ZSTD_createCCtx() else { return nil }
        context = made
        super.init(.zstd)
        let settings: [(ZSTD_cParameter, Int32)] = [
            (ZSTD_c_compressionLevel, Self.level), (ZSTD_c_windowLog, Self.windowLog),
            (ZSTD_c_hashLog, Self.tableLog), (ZSTD_c_chainLog, Self.tableLog),
        ]
        for (parameter, value) in settings {
            let result = ZSTD_CCtx_setParameter(context, parameter, value)
            precondition(ZSTD_isError(result) == 0, "zstd does not take its own settings")
        }
    }

    deinit { ZSTD_freeCCtx(context) }

    override func begin() {
        holdsBack = false
        ZSTD_CCtx_reset(context, ZSTD_reset_session_only)
    }

    override func run(_ content: ByteView, _ step: Step, to output: inout ByteBuffer) -> Bool {
        let directive =
            switch step {
            case .proceed: ZSTD_e_continue
            case .flush: ZSTD_e_flush
            case .finish: ZSTD_e_end
            }
        var input = ZSTD_inBuffer(src: content.base, size: content.count, pos: 0)
        while true {
            output.makeRoom(Self.outputStep)
            var room = ZSTD_outBuffer(dst: output.writePointer, size: output.room, pos: 0)
            let left = ZSTD_compressStream2(context, &room, &input, directive)
            guard ZSTD_isError(left) == 0 else { return false }
            output.didWrite(room.pos)
            // For `continue` the rest is a hint about what is still inside; taken is enough there.
            if step == .proceed ? input.pos == input.size : left == 0 { return true }
        }
    }

    /// Octets that the library holds for it.
    var memory: Int { ZSTD_sizeof_CCtx(context) }
}
