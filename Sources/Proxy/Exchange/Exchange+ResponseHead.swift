import Config
import Connection
import Core
import HTTP
import Routing

/// The response head as the client gets it: the endpoint's, less what belongs to its connection, with the filters' edits.
extension Exchange {
    /// - Parameter framing: how the body will be framed; `none` for interim responses and for those without a body.
    func writeResponseHead(
        _ response: ResponseMessage, _ bytes: ByteView, framing: OutgoingFraming, to out: inout ByteBuffer
    ) {
        guard let downstream, let message = downstream.request, let rule, let backend else {
            preconditionFailure("a response comes down before its request was routed")
        }
        let edits = HeaderEdits(
            rule: rule.pointee.filters.responseHeaders, backend: backend.pointee.filters.responseHeaders, in: snapshot)
        let isFinal = response.head.status >= 200
        // The version is ours, not the endpoint's (RFC 9110, section 2.5); the phrase is the endpoint's.
        StatusLine.write(status: response.head.status, reason: response.head.reason.of(bytes), to: &out)
        let cors = isFinal ? corsFilter : nil
        let hasDate = copyFields(response, bytes, isFinal ? edits : nil, cors, to: &out)
        if isFinal {
            if !hasDate { writeDate(to: &out) }
            if !edits.isEmpty { edits.appendLines(to: &out) }
            cors?.writeActual(message.head, downstream.headBytes, to: &out)
            if framing == .chunked { out.append("Transfer-Encoding: chunked\r\n") }
            // A 204 has none (RFC 9110, section 8.6).
            if response.head.rewritesLength, response.head.status != 204, let length = response.head.contentLength {
                out.append("Content-Length: ")
                out.append(decimal: length)
                out.append("\r\n")
            }
            writePersistence(downstream, message, to: &out)
        } else if response.head.status == 101 {
            out.append("Connection: upgrade\r\nUpgrade: websocket\r\n")
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

    private var corsFilter: CORSFilter? {
        guard let rule, let backend else { return nil }
        if backend.pointee.filters.cors.isEmpty, rule.pointee.filters.cors.isEmpty { return nil }
        return CORSFilter(backend.pointee.filters, in: snapshot) ?? CORSFilter(rule.pointee.filters, in: snapshot)
    }

    /// - Returns: whether there was a Date.
    private func copyFields(
        _ response: ResponseMessage, _ bytes: ByteView, _ edits: HeaderEdits?, _ cors: CORSFilter?,
        to out: inout ByteBuffer
    ) -> Bool {
        let count = response.head.fields.count
        let hasEdits = edits.map { !$0.isEmpty } ?? false
        let plain = !hasEdits && cors == nil && !response.head.connectionNamesFields
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
