import CBrotliDecoder
import CZlib
import CZstd
import HTTP

/// What a receiver makes of a coding, as far as the octets that came let it: the libraries' own decoders.
enum Decoding {
    /// - Returns: the content, and whether the coding's end was seen; nil: the octets are not of that coding.
    static func decode(_ coded: [UInt8], _ coding: ContentCoding) -> (content: [UInt8], isComplete: Bool)? {
        switch coding {
        case .gzip: gzip(coded)
        case .brotli: brotli(coded)
        case .zstd: zstd(coded)
        }
    }

    private static func gzip(_ coded: [UInt8]) -> ([UInt8], Bool)? {
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        var input = coded
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        return input.withUnsafeMutableBufferPointer { input in
            stream.next_in = input.baseAddress
            stream.avail_in = UInt32(input.count)
            while true {
                let (result, left) = piece.withUnsafeMutableBufferPointer { piece in
                    stream.next_out = piece.baseAddress
                    stream.avail_out = UInt32(piece.count)
                    return (inflate(&stream, Z_SYNC_FLUSH), Int(stream.avail_out))
                }
                content += piece[..<(piece.count - left)]
                switch result {
                case Z_STREAM_END: return (content, true)
                case Z_OK: if left > 0, stream.avail_in == 0 { return (content, false) }
                case Z_BUF_ERROR: return (content, false)
                default: return nil
                }
            }
        }
    }

    private static func brotli(_ coded: [UInt8]) -> ([UInt8], Bool)? {
        guard let decoder = BrotliDecoderCreateInstance(nil, nil, nil) else { return nil }
        defer { BrotliDecoderDestroyInstance(decoder) }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        return coded.withUnsafeBufferPointer { input in
            var next = input.baseAddress
            var available = input.count
            while true {
                var room = piece.count
                let result = piece.withUnsafeMutableBufferPointer { piece in
                    var place = piece.baseAddress
                    return BrotliDecoderDecompressStream(decoder, &available, &next, &room, &place, nil)
                }
                content += piece[..<(piece.count - room)]
                switch result {
                case BROTLI_DECODER_RESULT_SUCCESS: return (content, true)
                case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return (content, false)
                case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: continue
                default: return nil
                }
            }
        }
    }

    private static func zstd(_ coded: [UInt8]) -> ([UInt8], Bool)? {
        guard let decoder = ZSTD_createDCtx() else { return nil }
        defer { ZSTD_freeDCtx(decoder) }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        return coded.withUnsafeBytes { input in
            var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
            while true {
                let (left, made) = piece.withUnsafeMutableBytes { piece in
                    var room = ZSTD_outBuffer(dst: piece.baseAddress, size: piece.count, pos: 0)
                    return (ZSTD_decompressStream(decoder, &room, &source), room.pos)
                }
                guard ZSTD_isError(left) == 0 else { return nil }
                content += piece[..<made]
                if left == 0 { return (content, true) }
                if source.pos == source.size, made < piece.count { return (content, false) }
            }
        }
    }
}
