import Config
import Connection
import Core
import HTTP
import Routing

/// The response head as the client gets it: the endpoint's, less what belongs to its connection, with the filters' edits.
extension Exchange {
    /// - Parameter framing: how the body will be framed; `none` for interim responses and for those without a body.
    func writeResponseHead(
        _ response: ResponseMessage, _ bytes: ByteView, framing: OutgoingFraming, _ downstream: ServerStream,
        _ message: RequestMessage, to out: inout ByteBuffer
    ) {
        guard let rule, let backend else {
            preconditionFailure("a response comes down before its request was routed")
        }
        // The central gateway has edited what it answers by its own rules.
        let edits =
            isHandedOn
            ? HeaderEdits(rule: Table(), in: snapshot)
            : HeaderEdits(
                rule: rule.pointee.filters.responseHeaders, backend: backend.pointee.filters.responseHeaders,
                in: snapshot)
        let isFinal = response.head.status >= 200
        // The version is ours, not the endpoint's (RFC 9110, section 2.5); the phrase is the endpoint's.
        StatusLine.write(status: response.head.status, reason: response.head.reason.of(bytes), to: &out)
        let cors = isFinal && !isHandedOn ? corsFilter : nil
        let isTranslated = isFinal && translatesBack(response, bytes)
        let isCoded = isFinal && compressedBody != nil
        let hasDate = copyFields(
            response, bytes, isFinal ? edits : nil, cors, dropsType: isTranslated,
            dropsLength: isTranslated && framing != .none, isCoded: isCoded, to: &out)
        if isFinal {
            if !hasDate { writeDate(to: &out) }
            if !edits.isEmpty { edits.appendLines(to: &out) }
            if !addedResponseFields.isEmpty { out.append(addedResponseFields.view) }
            if contentEdit != .none { writeContentEdit(response, bytes, to: &out) }
            cors?.writeActual(message.head, downstream.headBytes, to: &out)
            if isTranslated, !edits.replaces(.contentType), let type = response.head.fields.first(.contentType) {
                grpcWeb?.form.writeResponseType(type.value(in: bytes), to: &out)
            }
            if framing == .chunked { out.append("Transfer-Encoding: chunked\r\n") }
            writeEmptyLength(response, framing, downstream, message, to: &out)
            // A 204 has none (RFC 9110, section 8.6).
            if response.head.rewritesLength, !isCoded, !isTranslated || framing == .none, response.head.status != 204,
                let length = response.head.contentLength
            {
                out.append("Content-Length: ")
                out.append(decimal: length)
                out.append("\r\n")
            }
            writePersistence(downstream, message, to: &out)
        } else if response.head.status == 101 {
            writeUpgrade(to: &out)
            writeWebSocketAccept(message, downstream, to: &out)
        }
        out.append("\r\n")
    }

    /// The backend's proof goes on as it came; one that speaks HTTP/2 gives none, and a client of HTTP/1.1 waits for it.
    private func writeWebSocketAccept(
        _ message: RequestMessage, _ downstream: ServerStream, to out: inout ByteBuffer
    ) {
        guard upstream?.majorVersion == 2, downstream.majorVersion == 1,
            let key = message.head.fields.first(.secWebSocketKey)
        else { return }
        out.append("Sec-WebSocket-Accept: ")
        out.append(string: WebSocketHandshake.accept(key: key.value(in: downstream.headBytes)))
        out.append("\r\n")
    }

    /// HTTP/2 says by END_STREAM that there is no content, HTTP/1.1 only by a length.
    private func writeEmptyLength(
        _ response: ResponseMessage, _ framing: OutgoingFraming, _ downstream: ServerStream, _ message: RequestMessage,
        to out: inout ByteBuffer
    ) {
        guard framing == .none, response.head.majorVersion == 2, downstream.majorVersion == 1,
            response.head.contentLength == nil, message.head.method != .head, response.head.status != 204,
            response.head.status != 304
        else { return }
        out.append("Content-Length: 0\r\n")
    }

    /// Whether it is gRPC's and the client speaks gRPC-Web.
    func translatesBack(_ response: ResponseMessage, _ bytes: ByteView) -> Bool {
        guard let grpcWeb, grpcWeb.isTranslated else { return false }
        return GRPCWeb.translates(response.head.fields, bytes)
    }

    var corsFilter: CORSFilter? {
        guard let rule else { return nil }
        if let backend, !backend.pointee.filters.cors.isEmpty {
            return CORSFilter(backend.pointee.filters, in: snapshot)
        }
        return rule.pointee.filters.cors.isEmpty ? nil : CORSFilter(rule.pointee.filters, in: snapshot)
    }

    /// - Returns: whether there was a Date.
    private func copyFields(
        _ response: ResponseMessage, _ bytes: ByteView, _ edits: HeaderEdits?, _ cors: CORSFilter?,
        dropsType: Bool, dropsLength: Bool, isCoded: Bool, to out: inout ByteBuffer
    ) -> Bool {
        let count = response.head.fields.count
        let hasEdits = edits.map { !$0.isEmpty } ?? false
        let plain = !hasEdits && cors == nil && !isCoded && !response.head.connectionNamesFields
        var hasDate = false
        var from = -1
        for i in 0..<count {
            let line = response.head.fields[i]
            let stays: Bool
            if line.name == .other, plain {
                stays = true
            } else {
                if line.name == .date { hasDate = true }
                stays =
                    !response.head.drops(line, in: bytes) && !(hasEdits && edits?.drops(line, in: bytes) == true)
                    && !(cors != nil && CORSFilter.owns(line.name(in: bytes)))
                    && !(dropsType && line.name == .contentType) && !(dropsLength && line.name == .contentLength)
                    && !(isCoded && untrueOfCoded(line, bytes))
            }
            if stays {
                if from < 0 { from = Int(line.nameOffset) }
            } else if from >= 0 {
                out.append(bytes[from..<Int(line.nameOffset)])
                from = -1
            }
        }
        if from >= 0 { out.append(bytes[from..<(response.head.length - 2)]) }
        return hasDate
    }

    /// RFC 9110, section 6.6.1: who forwards a response without a Date adds one.
    private func writeDate(to out: inout ByteBuffer) {
        out.append("Date: ")
        worker.date.write(unixSeconds: worker.loop.wallNow / 1_000_000_000, to: &out)
        out.append("\r\n")
    }

    private func writePersistence(
        _ downstream: ServerStream, _ message: RequestMessage, to out: inout ByteBuffer
    ) {
        if downstream.closesAfterResponse {
            out.append("Connection: close\r\n")
        } else if message.head.minorVersion == 0 {
            out.append("Connection: keep-alive\r\n")
        }
    }
}
