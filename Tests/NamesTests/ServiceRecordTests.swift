import Core
import Testing

@testable import Names

/// Answers of DNS about services (RFC 2782), as octets.
@Suite struct ServiceRecordTests {
    /// A header with one question and so many answers, and the question for `_http._tcp.a`.
    private func message(answers: [[UInt8]]) -> [UInt8] {
        [0, 1, 0x81, 0x80, 0, 1, 0, UInt8(answers.count), 0, 0, 0, 0]
            + [5] + Array("_http".utf8) + [4] + Array("_tcp".utf8) + [1] + Array("a".utf8) + [0, 0, 33, 0, 1]
            + answers.flatMap { $0 }
    }

    private func record(
        priority: UInt16, weight: UInt16, port: UInt16, ttl: UInt8, target: [UInt8], type: UInt8 = 33
    ) -> [UInt8] {
        let content =
            [priority, weight, port].flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] } + target
        return [0xC0, 12, 0, type, 0, 1, 0, 0, 0, ttl, 0, UInt8(content.count)] + content
    }

    private let host: [UInt8] = [1] + Array("b".utf8) + [0]

    private func read(_ octets: [UInt8]) -> (records: [ServiceRecord], life: TimeAmount)? {
        octets.withUnsafeBufferPointer { ServiceRecord.read(ByteView($0.baseAddress, count: $0.count)) }
    }

    @Test func recordsAreReadWithTheShortestLife() throws {
        let found = try #require(
            read(
                message(answers: [
                    record(priority: 1, weight: 2, port: 8080, ttl: 60, target: host),
                    // Points to the `a` of the question, behind a label of its own.
                    record(priority: 0, weight: 5, port: 443, ttl: 20, target: [1, 0x63, 0xC0, 23]),
                ])))
        #expect(
            found.records == [
                ServiceRecord(priority: 1, weight: 2, port: 8080, target: "b"),
                ServiceRecord(priority: 0, weight: 5, port: 443, target: "c.a"),
            ])
        #expect(found.life == .seconds(20))
    }

    @Test func whatIsNoServiceIsPassedOver() throws {
        let found = try #require(
            read(
                message(answers: [
                    record(priority: 0, weight: 0, port: 1, ttl: 9, target: host, type: 5),
                    record(priority: 0, weight: 0, port: 0, ttl: 9, target: [0]),
                ])))
        #expect(found.records.isEmpty)
    }

    @Test func aNameThatPointsToItselfEnds() {
        // The target lies behind the question (28 octets), the record's head (12) and six octets of numbers.
        let itself: [UInt8] = [0xC0, 12 + 17 + 12 + 6]
        #expect(read(message(answers: [record(priority: 0, weight: 0, port: 1, ttl: 1, target: itself)])) == nil)
    }

    @Test func everyPrefixOfAMessageIsReadWithoutATrap() {
        let whole = message(answers: [record(priority: 1, weight: 2, port: 3, ttl: 4, target: host)])
        for length in 0..<whole.count { #expect(read(Array(whole.prefix(length))) == nil) }
        #expect(read(whole) != nil)
    }
}
