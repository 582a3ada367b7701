import Core
import HTTP

private enum Outcome: Equatable {
    case incomplete
    case refused(HeadRefusal)
    case complete([UInt32])
}

/// Any octets, in any pieces: no trap, the same outcome, and ranges that lie in the head.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzzRequestHead(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    var pieces = Pieces(data, count)
    // An offence in a line may be told only when its LF is there.
    pieces = Pieces(octets: pieces.octets + [0x0A], from: pieces)
    let limits = HeadLimits(octets: 2048, fields: 20, requestLine: 512)
    check(
        outcome(pieces.octets, [pieces.octets.count], limits) == outcome(pieces.octets, pieces.cuts, limits),
        "pieces change the outcome")
    return 0
}

private func outcome(_ octets: [UInt8], _ cuts: [Int], _ limits: HeadLimits) -> Outcome {
    var parser = RequestHeadParser()
    var head = RequestHead()
    for cut in cuts {
        let result: Outcome = Array(octets[0..<cut]).withView { view in
            switch parser.parse(view, into: &head, limits: limits) {
            case .incomplete: return .incomplete
            case .refused(let refusal): return .refused(refusal)
            case .complete: return .complete(digest(head, view, limits))
            }
        }
        if result != .incomplete { return result }
    }
    return .incomplete
}

private func digest(_ head: borrowing RequestHead, _ view: ByteView, _ limits: HeadLimits) -> [UInt32] {
    check(head.length <= limits.octets && head.fields.count <= limits.fields, "beyond a limit")
    check(head.host.isEmpty == (head.minorVersion == 0 && head.authority.isEmpty), "no host in HTTP/1.1")
    let whole = view.upTo(head.length)
    var digest: [UInt32] = [
        UInt32(head.method.rawValue), UInt32(head.targetForm.rawValue), UInt32(head.minorVersion), UInt32(head.length),
        head.persistence == .close ? 1 : 0, head.expectsContinue ? 1 : 0, head.upgradesToWebSocket ? 1 : 0,
        head.acceptsTrailers ? 1 : 0, head.connectionNamesFields ? 1 : 0, UInt32(head.port ?? 0),
    ]
    for range in [head.methodRange, head.target, head.path, head.query, head.host, head.authority] {
        check(range.of(whole).count == Int(range.length), "a range outside the head")
        digest += [range.offset, range.length]
    }
    switch head.framing {
    case .none: digest.append(0)
    case .chunked: digest.append(1)
    case .length(let octets): digest += [2, UInt32(truncatingIfNeeded: octets), UInt32(octets >> 32)]
    case .untilClose: fatalError("a request that ends with its connection")
    }
    var lengths = 0
    for i in 0..<head.fields.count {
        let line = head.fields[i]
        check(line.name(in: whole).count > 0, "an empty name")
        check(line.name == FieldName(line.name(in: whole)), "a name taken for another")
        let value = line.value(in: whole)
        check(value.trimmed.count == value.count, "blanks around a value")
        for at in value.indices { check(value[at] >= 0x20 || value[at] == 9, "a control octet in a value") }
        if line.name == .contentLength { lengths += 1 }
        _ = head.drops(line, in: whole)
        digest += [line.nameOffset, UInt32(line.nameLength), line.valueOffset, line.valueLength]
    }
    check(!(lengths > 0 && head.framing == .chunked), "a length and a coding")
    return digest
}
