import Core
import HTTP

private enum Outcome: Equatable {
    case incomplete(content: [UInt8])
    case refused(ChunkedRefusal)
    case complete(content: [UInt8], trailers: [[UInt8]], rest: Int)
}

/// Any octets, in any pieces: no trap, no endless loop, the same content and the same end.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzChunkedBody(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    var pieces = Pieces(data, count)
    pieces = Pieces(octets: pieces.octets + [0x0A], from: pieces)
    check(
        outcome(pieces.octets, [pieces.octets.count]) == outcome(pieces.octets, pieces.cuts),
        "pieces change the outcome")
    return 0
}

private func outcome(_ octets: [UInt8], _ cuts: [Int]) -> Outcome {
    var decoder = ChunkedDecoder(limits: ChunkedLimits(sizeLine: 64, trailers: 256, trailerFields: 8))
    var content: [UInt8] = []
    var consumed = 0
    for cut in cuts {
        feeding: while true {
            let memory = Array(octets[consumed..<cut])
            var trailers: [[UInt8]] = []
            let step = memory.withView { view in
                let step = decoder.next(view)
                if case .data(let range) = step {
                    check(!range.isEmpty, "content without an octet")
                    content += view[range].array
                }
                if case .end(let section) = step {
                    for i in 0..<decoder.trailers.count {
                        let line = decoder.trailers[i]
                        trailers += [line.name(in: view[section]).array, line.value(in: view[section]).array]
                        check(line.name != .contentLength && line.name != .host, "a forbidden trailer")
                    }
                }
                return step
            }
            consumed += step.consumed
            switch step {
            case .data: continue
            case .needMore: break feeding
            case .end: return .complete(content: content, trailers: trailers, rest: octets.count - consumed)
            case .refused(let refusal): return .refused(refusal)
            }
        }
    }
    return .incomplete(content: content)
}
