import Core
import Testing

@testable import Guard

@Suite struct CentralGatewaysTests {
    private let first = SocketAddress(ip: IPAddress(v4: 10, 0, 0, 1), port: 80)
    private let second = SocketAddress(ip: IPAddress(v4: 10, 0, 0, 2), port: 80)

    @Test func whoFailedIsAskedLastForAWhile() {
        var gateways = CentralGateways()
        let now = Instant(nanoseconds: 5_000_000_000)
        #expect(gateways.order([first, second], now: now) == [first, second])
        let isNew = gateways.failed(first, now: now)
        #expect(isNew)
        #expect(gateways.order([first, second], now: now) == [second, first])
        let isNewAgain = gateways.failed(first, now: now + .milliseconds(500))
        #expect(!isNewAgain)
        #expect(gateways.order([first, second], now: now + .milliseconds(1_400)) == [second, first])
        #expect(gateways.order([first, second], now: now + .milliseconds(1_600)) == [first, second])
    }

    @Test func bothThatFailedAreAskedNevertheless() {
        var gateways = CentralGateways()
        let now = Instant(nanoseconds: 5_000_000_000)
        _ = gateways.failed(first, now: now)
        _ = gateways.failed(second, now: now)
        #expect(gateways.order([first, second], now: now) == [first, second])
        let isBack = gateways.answered(second)
        #expect(isBack)
        let isBackAgain = gateways.answered(second)
        #expect(!isBackAgain)
        #expect(gateways.order([first, second], now: now) == [second, first])
    }

    @Test(arguments: [
        ("10.0.0.5", "10.0.0.5:8080"), ("10.0.0.5:90", "10.0.0.5:90"), ("fd00::5", "[fd00::5]:8080"),
        ("[fd00::5]:90", "[fd00::5]:90"),
    ])
    func addressesAreRead(text: String, address: String) throws {
        #expect(try #require(CentralAddress(text)).address(from: 8080).description == address)
    }

    @Test(arguments: ["", "central", "10.0.0", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:70000", "[fd00::5]"])
    func nonsenseIsNone(text: String) { #expect(CentralAddress(text) == nil) }
}
