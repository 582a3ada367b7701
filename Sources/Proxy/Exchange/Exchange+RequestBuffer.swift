import Config
import Connection
import Core
import HTTP
import Telemetry

/// BackendTrafficPolicy `requestBuffer`: the whole request is here before anything of it goes to a backend, so that a slow
/// client holds no backend. What is buffered can also be sent again, whatever its length.
extension Exchange {
    func passRequestBuffer(_ traffic: UnsafePointer<RouteTrafficConfig>) -> Admission {
        guard !traffic.pointee.requestBuffer.isEmpty, let downstream, let message = downstream.request,
            message.head.framing != .none, !downstream.incoming.isComplete
        else { return .passed }
        let limit = snapshot[traffic.pointee.requestBuffer, 0].pointee.limit
        if let length = message.head.contentLength, length > limit { return refuseBody() }
        let recorder = tapForBody()
        recorder.keepsForReplay = true
        recorder.limit = Int(limit)
        isBuffering = true
        if message.head.expectsContinue, !continueWasSent { sendContinue(downstream) }
        return bufferMore(downstream, recorder)
    }

    /// The client has sent more of its body.
    func buffer() {
        guard phase == .admitting, isBuffering, let downstream, let recorder else { return }
        switch bufferMore(downstream, recorder) {
        case .passed: admit()
        case .waiting, .answered: break
        }
    }

    private func bufferMore(_ downstream: ServerStream, _ recorder: BodyRecorder) -> Admission {
        var budget = Relay.octetsPerTurn
        while true {
            switch downstream.incoming.next(&downstream.input) {
            case .data(let run):
                let count = run.count
                recorder.passed(run)
                downstream.incoming.consume(count, from: &downstream.input)
                downstream.contentTaken(count)
                requestBody &+= UInt64(count)
                lastProgress = worker.loop.now
                guard recorder.isWhole else { return refuseBody() }
                budget -= count
                if budget <= 0 {
                    worker.loop.again(downstream)
                    return .waiting
                }
            case .complete:
                isBuffering = false
                return .passed
            case .needMore:
                switch downstream.fill() {
                case .more: continue
                case .nothing: return .waiting
                case .full: preconditionFailure("a body's framing does not fit the input")
                case .endOfFile:
                    guard downstream.incoming.isUntilClose, !downstream.isTruncated else { return brokeOff() }
                    downstream.incoming.endByClose()
                case .failed: return brokeOff()
                }
            case .refused(let refusal):
                isBuffering = false
                downstream.closesAfterResponse = true
                answer(refusal.status, .downstreamProtocolError, refusal.reason)
                return .answered
            }
        }
    }

    private func brokeOff() -> Admission {
        abandon(.downstreamTermination)
        return .answered
    }

    private func refuseBody() -> Admission {
        isBuffering = false
        answer(413, .downstreamProtocolError, "the request is larger than the route's buffer")
        return .answered
    }

    /// A client that waits for leave before it sends its body would wait for a backend that waits for the body (RFC 9110,
    /// section 10.1.1).
    private func sendContinue(_ downstream: ServerStream) {
        continueWasSent = true
        worker.resources.buffers.supply(&downstream.output)
        downstream.output.append("HTTP/1.1 100 Continue\r\n\r\n")
        downstream.headWritten(framing: nil)
        _ = downstream.flush()
    }
}
