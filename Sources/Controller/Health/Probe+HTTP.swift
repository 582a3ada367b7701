import Config
import Connection
import Core
import HTTP

/// Probes by HTTP/1.1 and HTTP/2, and by gRPC's health protocol (grpc.health.v1).
extension Probe {
    static let userAgent: StaticString = "Sluice/HC"

    func beginHTTP(on stream: ClientStream) {
        guard case .http(let plan) = target.plan.probe else { preconditionFailure("no probe by HTTP") }
        var head = ByteBuffer(capacity: 512)
        head.append(string: "\(plan.method) \(plan.path) HTTP/1.1\r\nhost: ")
        head.append(string: target.host)
        head.append("\r\nuser-agent: ")
        head.append(Self.userAgent)
        if !plan.requestBody.isEmpty || plan.method == "POST" || plan.method == "PUT" {
            head.append(string: "\r\ncontent-length: \(plan.requestBody.count)")
        }
        if stream.majorVersion == 1 { head.append("\r\nconnection: close") }
        head.append("\r\n\r\n")
        send(head, plan.requestBody, .length(remaining: UInt64(plan.requestBody.count)), on: stream)
    }

    func beginGRPC(on stream: ClientStream) {
        guard case .grpc(let service) = target.plan.probe else { preconditionFailure("no probe by gRPC") }
        var head = ByteBuffer(capacity: 512)
        head.append(
            string: "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: \(target.host)\r\n"
                + "content-type: application/grpc\r\nte: trailers\r\nuser-agent: \(Self.userAgent)\r\n\r\n")
        // HealthCheckRequest: field 1, a string, absent where it is empty.
        var message: [UInt8] = []
        let name = Array(service.utf8)
        if !name.isEmpty { message = [0x0A] + Self.varint(name.count) + name }
        let length = UInt32(message.count)
        let prefix: [UInt8] = [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> UInt32($0)) }
        send(head, prefix + message, .chunked, on: stream)
    }

    static func varint(_ number: Int) -> [UInt8] {
        var octets: [UInt8] = []
        var rest = number
        while rest > 0x7F {
            octets.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return octets + [UInt8(rest)]
    }

    private func send(
        _ head: borrowing ByteBuffer, _ body: [UInt8], _ framing: OutgoingFraming, on stream: ClientStream
    ) {
        resources.buffers.supply(&stream.output)
        stream.output.append(head.view)
        stream.headWritten(framing: body.isEmpty ? OutgoingFraming.none : framing)
        if !body.isEmpty {
            // Bounded far below what a fresh connection takes (HealthCheckLimits.payload).
            let taken = body.withView { stream.write(body: $0) }
            guard taken == body.count else { return end(.failed, "the endpoint takes no octets") }
            stream.endBody()
        }
        _ = stream.flush()
        advanceHTTP()
    }

    func advanceHTTP() {
        guard let stream, outcome == nil else { return }
        _ = stream.flush()
        while !isHeadTaken {
            switch stream.readHead(for: method) {
            case .waiting: return
            case .endOfFile, .failed: return end(.failed, "the connection was closed before an answer")
            case .refused(let refusal): return end(.failed, "the answer is no HTTP: \(refusal.reason)")
            case .complete: takeHead(stream)
            }
            if outcome != nil { return }
        }
        readBody(stream)
    }

    private var method: Method {
        guard case .http(let plan) = target.plan.probe else { return .post }
        return plan.method == "HEAD" ? .head : .get
    }

    private func takeHead(_ stream: ClientStream) {
        guard let message = stream.response else { preconditionFailure("a complete head is not there") }
        status = message.head.status
        let bytes = stream.headBytes
        for index in 0..<message.head.fields.count {
            let line = message.head.fields[index]
            guard line.name(in: bytes).equalsIgnoringCase("grpc-status") else { continue }
            grpcStatus = line.value(in: bytes).decimal.map { Int($0) } ?? -1
        }
        stream.dropHead()
        if status == 101 { return end(.refused, "status 101") }
        guard status >= 200 else { return }
        isHeadTaken = true
        guard case .http(let plan) = target.plan.probe else {
            if status != 200 { end(.refused, "status \(status)") }
            return
        }
        if plan.expects(status) {
            if plan.expectedResponse.isEmpty { end(.passed, "status \(status)") }
        } else {
            end(plan.retriableStatuses.contains(status) ? .failed : .refused, "status \(status)")
        }
    }

    private func readBody(_ stream: ClientStream) {
        while outcome == nil {
            switch stream.incoming.next(&stream.input) {
            case .data(let run):
                let room = HealthCheckLimits.responseBody - received.count
                received += run.upTo(min(run.count, room)).array
                let count = run.count
                stream.incoming.consume(count, from: &stream.input)
                stream.contentTaken(count)
                if received.count == HealthCheckLimits.responseBody { bodyRead(stream) }
            case .needMore:
                switch stream.fill() {
                case .more: continue
                case .nothing: return
                case .endOfFile where stream.incoming.isUntilClose: stream.incoming.endByClose()
                case .endOfFile, .failed, .full: end(.failed, "the connection was closed within the answer")
                }
            case .refused: end(.failed, "the answer's body is no HTTP")
            case .complete: bodyRead(stream)
            }
        }
    }

    /// As much of the body is here as is looked at.
    private func bodyRead(_ stream: ClientStream) {
        switch target.plan.probe {
        case .http(let plan):
            guard received.contains(octets: plan.expectedResponse) else {
                return end(.refused, "the body is not what is expected")
            }
            end(.passed, "status \(status)")
        case .grpc:
            var trailers = ByteBuffer()
            stream.takeTrailers(to: &trailers)
            if let told = GRPCHealthAnswer.status(inTrailers: trailers.view) { grpcStatus = told }
            guard let grpcStatus else { return end(.failed, "no grpc-status") }
            guard grpcStatus == 0 else { return end(.refused, "grpc-status \(grpcStatus)") }
            let serving = GRPCHealthAnswer.serving(received)
            if serving == GRPCHealthAnswer.isServing { return end(.passed, "SERVING") }
            end(.refused, serving.map { "serving status \($0)" } ?? "the answer is no HealthCheckResponse")
        case .tcp: preconditionFailure("no probe by HTTP")
        }
    }
}

extension HTTPProbePlan {
    fileprivate func expects(_ status: UInt16) -> Bool {
        expectedStatuses.isEmpty ? status == 200 : expectedStatuses.contains(status)
    }
}

extension [UInt8] {
    /// Whether `wanted` is among the octets, one behind the other; an empty one always is.
    func contains(octets wanted: [UInt8]) -> Bool {
        guard let first = wanted.first else { return true }
        guard count >= wanted.count else { return false }
        return (0...(count - wanted.count)).contains {
            self[$0] == first && self[$0..<($0 + wanted.count)] == wanted[...]
        }
    }
}

/// What a server of grpc.health.v1 has answered.
enum GRPCHealthAnswer {
    /// `ServingStatus.SERVING`.
    static let isServing = 1
    /// Octets before a message: whether it is compressed, and its length.
    private static let prefix = 5

    /// `grpc-status` among whole field lines; nil: it is not there, -1: it is no number.
    static func status(inTrailers lines: ByteView) -> Int? {
        var rest = lines
        while let end = rest.indices.first(where: { rest[$0] == ASCII.lf }) {
            let line = rest.upTo(end)
            rest = rest[(end + 1)..<rest.count]
            guard let colon = line.indices.first(where: { line[$0] == ASCII.colon }),
                line.upTo(colon).equalsIgnoringCase("grpc-status")
            else { continue }
            let text = line[(colon + 1)..<line.count].string
            return Int(text.filter { $0 != " " && $0 != "\r" }) ?? -1
        }
        return nil
    }

    /// The `status` of the HealthCheckResponse in the first message of `body`: field 1, a varint, 0 where it is absent.
    /// Nil: there is no whole message that can be read.
    static func serving(_ body: [UInt8]) -> Int? {
        guard body.count >= prefix, body[0] == 0 else { return nil }
        let length = body[1..<prefix].reduce(0) { $0 << 8 | Int($1) }
        guard body.count - prefix >= length else { return nil }
        let message = body[prefix..<(prefix + length)]
        var at = message.startIndex
        var status = 0
        while at < message.endIndex {
            let tag = message[at]
            at += 1
            // Only varints are known here; anything else is a response of another kind.
            guard tag & 7 == 0 else { return nil }
            var value = 0
            var shift = 0
            while true {
                guard at < message.endIndex, shift < 63 else { return nil }
                let octet = message[at]
                at += 1
                value |= Int(octet & 0x7F) << shift
                shift += 7
                if octet < 0x80 { break }
            }
            if tag >> 3 == 1 { status = value }
        }
        return status
    }
}
