import Compression
import Config
import Connection
import Core
import HTTP

/// BackendTrafficPolicy `compressor`: whether a response's content goes out in a coding, and what its head then says.
extension Exchange {
    /// What becomes of a response's head and content.
    enum ContentEdit: Equatable, BitwiseCopyable {
        case none
        /// It goes as it is, but another client would have got it otherwise.
        case varies
        case coded(ContentCoding)
    }

    /// To be asked once, before the head is written.
    /// - Returns: whether the content is compressed, so that its length is not known.
    func chooseCoding(_ response: ResponseMessage, hasContent: Bool, _ message: RequestMessage) -> Bool {
        guard let rule, !rule.pointee.traffic.isEmpty, let upstream, let downstream else { return false }
        let offers = snapshot[rule.pointee.traffic, 0].pointee.compression
        if offers.isEmpty || !isCompressible(response, upstream.headBytes) { return false }
        var accepted = AcceptEncoding()
        let bytes = downstream.headBytes
        for index in 0..<message.head.fields.count where message.head.fields[index].name == .acceptEncoding {
            accepted.read(message.head.fields[index].value(in: bytes))
        }
        var best: (coding: ContentCoding, weight: UInt16)?
        for index in 0..<Int(offers.count) {
            let offer = snapshot[offers, index].pointee
            if let length = response.head.contentLength, length < offer.minContentLength { continue }
            contentEdit = .varies
            let weight = accepted.weight(of: offer.coding)
            // Of equals the earlier entry stays.
            if weight > best?.weight ?? 0 { best = (offer.coding, weight) }
        }
        guard hasContent, let best, accepted.prefers(best.weight) else { return false }
        guard let body = worker.compressedBodies.lease(best.coding) else {
            worker.statistics.increment(.compressionsSkipped)
            return false
        }
        worker.statistics.increment(.responsesCompressed)
        compressedBody = body
        contentEdit = .coded(best.coding)
        return true
    }

    /// As Envoy decides it, and besides: never a part of a content (RFC 9110, section 14.4), whose octets are counted in the
    /// coding that the client knows.
    private func isCompressible(_ response: ResponseMessage, _ bytes: ByteView) -> Bool {
        let status = response.head.status
        if status < 200 || status == 204 || status == 206 || translatesBack(response, bytes) { return false }
        var type = ByteView.empty
        for index in 0..<response.head.fields.count {
            let line = response.head.fields[index]
            switch line.name {
            case .contentType: type = line.value(in: bytes)
            case .other:
                let name = line.name(in: bytes)
                if name.equalsIgnoringCase("content-encoding") || name.equalsIgnoringCase("content-range") {
                    return false
                }
                if name.equalsIgnoringCase("cache-control"), Self.forbidsTransform(line.value(in: bytes)) {
                    return false
                }
            default: break
            }
        }
        return CompressibleType.contains(type)
    }

    /// RFC 9111, section 5.2.2.6.
    private static func forbidsTransform(_ value: ByteView) -> Bool {
        var directives = ListElements(value)
        while let directive = directives.next() {
            if directive.equalsIgnoringCase("no-transform") { return true }
        }
        return false
    }

    /// A line of the backend's head that the coded content makes untrue: its length, and a validator that is exact to the
    /// octet (RFC 9110, section 8.8.3.3).
    func untrueOfCoded(_ line: FieldLine, _ bytes: ByteView) -> Bool {
        if line.name == .contentLength { return true }
        guard line.name == .other, line.name(in: bytes).equalsIgnoringCase("etag") else { return false }
        let value = line.value(in: bytes)
        return !(value.count > 2 && ASCII.upper(value[0]) == UInt8(ascii: "W") && value[1] == ASCII.slash)
    }

    /// The lines that the choice adds to the head.
    func writeContentEdit(_ response: ResponseMessage, _ bytes: ByteView, to out: inout ByteBuffer) {
        if case .coded(let coding) = contentEdit {
            out.append("Content-Encoding: ")
            out.append(coding.token)
            out.append("\r\n")
        }
        // RFC 9110, section 12.5.5: a cache must know what the choice depended on.
        for index in 0..<response.head.fields.count where response.head.fields[index].name == .vary {
            var names = ListElements(response.head.fields[index].value(in: bytes))
            while let name = names.next() {
                if name.equals("*") || name.equalsIgnoringCase("accept-encoding") { return }
            }
        }
        out.append("Vary: Accept-Encoding\r\n")
    }
}
