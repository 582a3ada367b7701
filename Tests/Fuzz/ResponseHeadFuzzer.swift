import Core
import HTTP

private enum Outcome: Equatable {
    case incomplete
    case refused(HeadRefusal)
    case complete([UInt32])
}

/// Any octets, in any pieces, as the answer to any method: no trap, the same outcome, and ranges that lie in the head.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzResponseHead(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    var pieces = Pieces(data, count)
    pieces = Pieces(octets: pieces.octets + [0x0A], from: pieces)
    let method = Method(rawValue: pieces.seed / 16 % 10) ?? .get
    check(
        outcome(pieces.octets, [pieces.octets.count], method) == outcome(pieces.octets, pieces.cuts, method),
        "pieces change the outcome")
    return 0
}

private func outcome(_ octets: [UInt8], _ cuts: [Int], _ method: Method) -> Outcome {
    let limits = HeadLimits(octets: 2048, fields: 20, requestLine: 512)
    var parser = ResponseHeadParser()
    var head = ResponseHead()
    for cut in cuts {
        let result: Outcome = Array(octets[0..<cut]).withView { view in
            switch parser.parse(view, into: &head, method: method, limits: limits) {
            case .incomplete: return .incomplete
            case .refused(let refusal): return .refused(refusal)
            case .complete: return .complete(digest(head, view, limits))
            }
        }
        if result != .incomplete { return result }
    }
    return .incomplete
}

private func digest(_ head: borrowing ResponseHead, _ view: ByteView, _ limits: HeadLimits) -> [UInt32] {
    check(head.length <= limits.octets && head.fields.count <= limits.fields, "beyond a limit")
    check(head.status >= 100 && head.status <= 999, "no status")
    let whole = view.upTo(head.length)
    check(head.reason.of(whole).count == Int(head.reason.length), "a range outside the head")
    var digest: [UInt32] = [
        UInt32(head.status), head.reason.offset, head.reason.length, UInt32(head.minorVersion), UInt32(head.length),
        head.persistence == .close ? 1 : 0, head.connectionNamesFields ? 1 : 0, head.upgradesToWebSocket ? 1 : 0,
    ]
    switch head.framing {
    case .none: digest.append(0)
    case .chunked: digest.append(1)
    case .length(let octets): digest += [2, UInt32(truncatingIfNeeded: octets), UInt32(octets >> 32)]
    case .untilClose:
        check(head.persistence == .close, "a body until close on a connection that stays")
        digest.append(3)
    }
    for i in 0..<head.fields.count {
        let line = head.fields[i]
        check(line.name(in: whole).count > 0, "an empty name")
        check(line.name == FieldName(line.name(in: whole)), "a name taken for another")
        _ = line.value(in: whole)
        _ = head.drops(line, in: whole)
        digest += [line.nameOffset, UInt32(line.nameLength), line.valueOffset, line.valueLength]
    }
    return digest
}
