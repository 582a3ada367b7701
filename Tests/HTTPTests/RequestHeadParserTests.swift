import Core
import HTTP
import Testing

/// What a request head says, as values that outlive its octets.
struct ReadRequest: Equatable {
    var method = Method.get
    var form = TargetForm.origin
    var target = ""
    var path = ""
    var query: String?
    var host = ""
    var port: UInt16?
    var authority = ""
    var minorVersion: UInt8 = 1
    var framing = BodyFraming.none
    var persistence = Persistence.keepAlive
    var expectsContinue = false
    var upgradesToWebSocket = false
    var acceptsTrailers = false
    var connectionNamesFields = false
    var fields: [String] = []
    var length = 0

    init(_ head: borrowing RequestHead, _ view: ByteView) {
        method = head.method
        form = head.targetForm
        target = head.target.of(view).string
        path = head.path.of(view).string
        query = head.hasQuery ? head.query.of(view).string : nil
        host = head.host.of(view).string
        port = head.port
        authority = head.authority.of(view).string
        minorVersion = head.minorVersion
        framing = head.framing
        persistence = head.persistence
        expectsContinue = head.expectsContinue
        upgradesToWebSocket = head.upgradesToWebSocket
        acceptsTrailers = head.acceptsTrailers
        connectionNamesFields = head.connectionNamesFields
        for i in 0..<head.fields.count {
            let line = head.fields[i]
            fields.append("\(line.name(in: view).string)=\(line.value(in: view).string)")
        }
        length = head.length
    }
}

enum RequestOutcome: Equatable {
    case incomplete
    case refused(HeadRefusal)
    case complete(ReadRequest)

    var request: ReadRequest? { if case .complete(let request) = self { request } else { nil } }
}

/// Feeds `octets` in pieces that end at `cuts`, each time with everything so far in fresh memory of the exact size, so
/// that an over-read would be found.
func readRequest(_ octets: [UInt8], cuts: [Int] = [], limits: HeadLimits = .request) -> RequestOutcome {
    var parser = RequestHeadParser()
    var head = RequestHead()
    for cut in cuts + [octets.count] {
        let piece = Array(octets[0..<cut])
        let outcome: RequestOutcome = piece.withView { view in
            switch parser.parse(view, into: &head, limits: limits) {
            case .incomplete: .incomplete
            case .refused(let refusal): .refused(refusal)
            case .complete: .complete(ReadRequest(head, view))
            }
        }
        if outcome != .incomplete { return outcome }
    }
    return .incomplete
}

func readRequest(_ text: String, limits: HeadLimits = .request) -> RequestOutcome {
    readRequest(Array(text.utf8), limits: limits)
}

@Suite struct RequestHeadParserTests {
    @Test func browserRequest() throws {
        let text =
            "GET /shop/cart?id=7&x HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n"
            + "accept-encoding:\tgzip, br \t\r\nX-Empty:\r\nCookie: a=b; c=\"d\"\r\nTE: trailers\r\n\r\nrest"
        let request = try #require(readRequest(text).request)
        #expect(request.method == .get)
        #expect(request.target == "/shop/cart?id=7&x")
        #expect(request.path == "/shop/cart")
        #expect(request.query == "id=7&x")
        #expect(request.host == "shop.example")
        #expect(request.port == 8080)
        #expect(request.authority == "shop.example:8080")
        #expect(request.framing == .none)
        #expect(request.persistence == .keepAlive)
        #expect(request.acceptsTrailers)
        #expect(request.length == text.utf8.count - 4)
        #expect(
            request.fields == [
                "Host=shop.example:8080", "User-Agent=Mozilla/5.0 (X11; Linux)", "accept-encoding=gzip, br", "X-Empty=",
                "Cookie=a=b; c=\"d\"", "TE=trailers",
            ])
    }

    @Test func aParserServesManyMessages() throws {
        var parser = RequestHeadParser()
        var head = RequestHead()
        var read: [ReadRequest] = []
        for text in [
            "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close, X-A\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: i\r\n\r\n",
        ] {
            Array(text.utf8).withView { view in
                #expect(parser.parse(view, into: &head, limits: .request) == .complete)
                read.append(ReadRequest(head, view))
            }
            parser.reset()
        }
        #expect(read[0].framing == .length(octets: 3))
        #expect(read[0].persistence == .close)
        #expect(read[0].connectionNamesFields)
        #expect(read[1].framing == .none)
        #expect(read[1].persistence == .keepAlive)
        #expect(!read[1].connectionNamesFields)
        #expect(read[1].fields == ["Host=i"])
    }
}
