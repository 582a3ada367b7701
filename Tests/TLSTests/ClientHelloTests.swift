import Core
import Support
import Testing

@testable import TLS

@Suite struct ClientHellos {
    /// A ClientHello by hand: what matters, and the least of the rest.
    struct Recipe {
        var names: [String]? = ["shop.example.com"]
        var protocols: [String]? = ["h2", "http/1.1"]
        var session = 32
        var suites: [UInt8] = [0x13, 0x01, 0xC0, 0x2B]
        var compressions: [UInt8] = [0]
        /// Raw extensions before the others: their number and content.
        var others: [(Int, [UInt8])] = [(0x0A0A, []), (43, [2, 3, 4])]
        var hasExtensions = true
        var after: [UInt8] = []

        static func number(_ value: Int, octets: Int) -> [UInt8] {
            (0..<octets).map { UInt8(truncatingIfNeeded: value >> (8 * (octets - 1 - $0))) }
        }

        static func vector(_ content: [UInt8], _ lengthOctets: Int) -> [UInt8] {
            number(content.count, octets: lengthOctets) + content
        }

        static func name(_ name: [UInt8]) -> [UInt8] { [0] + vector(name, 2) }

        var body: [UInt8] {
            var result: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
            result += Self.vector([UInt8](repeating: 9, count: session), 1)
            result += Self.vector(suites, 2) + Self.vector(compressions, 1)
            guard hasExtensions else { return result + after }
            var list: [UInt8] = []
            for (kind, content) in others { list += Self.number(kind, octets: 2) + Self.vector(content, 2) }
            if let names {
                let entries = names.flatMap { Self.name(Array($0.utf8)) }
                list += [0, 0] + Self.vector(Self.vector(entries, 2), 2)
            }
            if let protocols {
                let entries = protocols.flatMap { Self.vector(Array($0.utf8), 1) }
                list += [0, 16] + Self.vector(Self.vector(entries, 2), 2)
            }
            return result + Self.vector(list, 2) + after
        }

        var message: [UInt8] { [1] + Self.vector(body, 3) }

        /// - Parameter piece: octets of the message in each record.
        func records(of piece: Int = 16_384) -> [UInt8] {
            var result: [UInt8] = []
            var rest = message[...]
            while !rest.isEmpty {
                result += [22, 3, 1] + Self.vector(Array(rest.prefix(piece)), 2)
                rest = rest.dropFirst(piece)
            }
            return result
        }
    }

    static func peek(_ octets: [UInt8]) -> ClientHello.Peek { octets.withView { ClientHello.peek($0) } }

    static func isMalformed(_ octets: [UInt8]) -> Bool {
        if case .malformed = peek(octets) { return true }
        return false
    }

    @Test(arguments: [16_384, 100, 7, 3, 1]) func itIsReadFromAnyRecords(_ piece: Int) throws {
        guard case .hello(let hello) = Self.peek(Recipe().records(of: piece)) else {
            Issue.record("not read")
            return
        }
        #expect(hello.serverName == Array("shop.example.com".utf8))
        #expect(hello.protocols == ["h2", "http/1.1"])
        #expect(hello.offers("h2"))
        #expect(hello.offers("http/1.1"))
        #expect(!hello.offers("h3"))
    }

    /// Every beginning asks for more, and for no more than there is to come.
    @Test(arguments: [16_384, 50, 1]) func everyBeginningIsWaitedFor(_ piece: Int) {
        let whole = Recipe().records(of: piece)
        for count in 0..<whole.count {
            guard case .needMore(let atLeast) = Self.peek(Array(whole[..<count])) else {
                Issue.record("\(count) octets of \(whole.count) were \(Self.peek(Array(whole[..<count])))")
                return
            }
            #expect(atLeast > count && atLeast <= whole.count)
        }
    }

    @Test(arguments: [
        ("EXAMPLE.com", "example.com"), ("a.example.com.", "a.example.com"),
        ("_dmarc.x-1.example", "_dmarc.x-1.example"),
        ("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"),
    ]) func namesAreLowerCase(_ name: String, _ read: String) {
        var recipe = Recipe()
        recipe.names = [name]
        guard case .hello(let hello) = Self.peek(recipe.records()) else {
            Issue.record("not read")
            return
        }
        #expect(hello.serverName.map { String(decoding: $0, as: UTF8.self) } == read)
    }

    @Test(arguments: [
        "", ".", "a..b", ".a", "a b", "a/b", "a\u{0}b", "ä.example", "[::1]", "a:443", "*.example.com",
        String(repeating: "a", count: 64) + ".example", String(repeating: "a.", count: 130) + "a",
    ]) func otherNamesAreRefused(_ name: String) {
        var recipe = Recipe()
        recipe.names = [name]
        #expect(Self.isMalformed(recipe.records()))
    }

    @Test func nothingIsAsked() {
        var recipe = Recipe()
        recipe.names = nil
        recipe.protocols = nil
        #expect(Self.peek(recipe.records()) == .hello(ClientHello()))
        recipe.hasExtensions = false
        #expect(Self.peek(recipe.records()) == .hello(ClientHello()))
    }

    static let broken: [(String, [UInt8])] = {
        func made(_ change: (inout Recipe) -> Void) -> [UInt8] {
            var recipe = Recipe()
            change(&recipe)
            return recipe.records()
        }
        var other = Recipe().records()
        other[5] = 2
        var secondRecord = Recipe().records(of: 100)
        secondRecord[105] = 23
        var large = Recipe().records()
        (large[6], large[7], large[8]) = (0, 0x40, 0)
        var emptyFragment = Recipe().records(of: 100)
        emptyFragment.insert(contentsOf: [22, 3, 1, 0, 0], at: 105)
        return [
            ("a session identifier of 33", made { $0.session = 33 }),
            ("no suites", made { $0.suites = [] }),
            ("half a suite", made { $0.suites = [0x13, 0x01, 0x13] }),
            ("no compression", made { $0.compressions = [] }),
            ("no protocols", made { $0.protocols = [] }),
            ("an empty protocol", made { $0.protocols = ["h2", ""] }),
            ("two names", made { $0.names = ["a.example", "b.example"] }),
            ("no name", made { $0.names = [] }),
            ("server_name twice", made { $0.others = [(0, Array([0, 4, 0, 0, 1, 97]))] }),
            (
                "an empty server_name",
                made {
                    $0.names = nil
                    $0.others = [(0, [])]
                }
            ),
            ("ALPN twice", made { $0.others = [(16, Array([0, 3, 2, 104, 50]))] }),
            (
                "a name's length beyond its list",
                made {
                    $0.names = nil
                    $0.others = [(0, [0, 4, 0, 0, 9, 97])]
                }
            ),
            (
                "a list's length beyond its extension",
                made {
                    $0.names = nil
                    $0.others = [(0, [0, 9, 0, 0, 1, 97])]
                }
            ),
            (
                "a name of another type",
                made {
                    $0.names = nil
                    $0.others = [(0, [0, 4, 1, 0, 1, 97])]
                }
            ),
            ("octets after the extensions", made { $0.after = [0] }),
            (
                "octets after a hello without extensions",
                made {
                    $0.hasExtensions = false
                    $0.after = [0]
                }
            ),
            ("a ServerHello", other),
            ("data between the records", secondRecord),
            ("an empty fragment", emptyFragment),
            ("a hello of 16 KiB", large),
            ("octets after it in its record", Array([22, 3, 1]) + Recipe.vector(Recipe().message + [1], 2)),
        ]
    }()

    @Test(arguments: broken) func whatBreaksTheRulesIsRefused(_ what: String, _ octets: [UInt8]) {
        #expect(Self.isMalformed(octets), "\(what): \(Self.peek(octets))")
    }

    @Test(
        arguments: [
            Array("GET / HTTP/1.1\r\n".utf8), Array("G".utf8), Array("PRI * HTTP/2.0".utf8), [23, 3, 3, 0, 1, 0],
            [21, 3, 1, 0, 2, 2, 40], [22, 2], [22, 4, 0, 0, 1], [22, 3, 9, 0, 1], [22, 3, 1, 0, 0],
            [22, 3, 1, 0x40, 1],
            // A ClientHello of SSL 2 (RFC 5246, appendix E.2).
            [0x80, 0x2E, 1, 3, 1],
        ] as [[UInt8]]) func otherProtocolsAreTold(_ octets: [UInt8])
    {
        #expect(Self.peek(octets) == .notTLS)
    }

    @Test func manySmallRecordsComeToAnEnd() {
        // A hello that says to be large, an octet at a time.
        var octets: [UInt8] = []
        var message: [UInt8] = [1, 0, 0x3F, 0xF0] + [UInt8](repeating: 3, count: 10_000)
        message[4] = 3
        for octet in message { octets += [22, 3, 1, 0, 1, octet] }
        #expect(Self.isMalformed(octets))
    }

    /// Real ClientHellos of this library, changed at chance: neither reader may crash, hang or keep memory.
    @Test(arguments: [UInt64(1), 2, 3]) func mutatedHellosDoNoHarm(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let context = try Made.server { $0.parameters.alpn = ["h2", "http/1.1"] }
        let client = try Made.client { $0.parameters.alpn = ["h2", "http/1.1"] }
        let whole = TLSSession(client: client, serverName: "shop.example.com")
        _ = whole.handshake()
        let original = whole.pending.view.array
        #expect(original.count > 200)
        var outcomes = (hello: 0, refused: 0, waiting: 0)
        for _ in 0..<1_000 {
            var octets = original
            Self.mutate(&octets, using: &random)
            switch Self.peek(octets) {
            case .hello: outcomes.hello += 1
            case .malformed, .notTLS: outcomes.refused += 1
            case .needMore: outcomes.waiting += 1
            }
            let session = TLSSession(server: context)
            // In pieces, so that every beginning is met as well.
            var at = 0
            while at < octets.count {
                let end = min(octets.count, at + Int.random(in: 1...300, using: &random))
                octets[at..<end].withUnsafeBufferPointer {
                    session.received.append(ByteView($0.baseAddress, count: $0.count))
                }
                at = end
                if case .failed = session.handshake() { break }
            }
            #expect(session.handshake() != .done)
            #expect(session.pending.count < 16 * 1024)
        }
        #expect(outcomes.hello > 0 && outcomes.refused > 100 && outcomes.waiting > 0, "seed \(seed): \(outcomes)")
    }

    static func mutate(_ octets: inout [UInt8], using random: inout SeededRandom) {
        for _ in 0..<Int.random(in: 1...4, using: &random) where !octets.isEmpty {
            let at = Int.random(in: 0..<octets.count, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: octets[at] = UInt8.random(in: 0...255, using: &random)
            case 1: octets[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: octets.remove(at: at)
            case 3: octets.insert(UInt8.random(in: 0...255, using: &random), at: at)
            case 4: octets.removeLast(Int.random(in: 0...min(40, octets.count), using: &random))
            case 5:
                let end = min(octets.count, at + Int.random(in: 1...40, using: &random))
                octets.insert(contentsOf: octets[at..<end], at: at)
            default:
                // Lengths are what parsers trip over.
                octets[at] = [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
            }
        }
    }
}
