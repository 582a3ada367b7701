import Core
import HTTP
import IO
import Telemetry

/// Accepted connections that are not served: held for a moment, told in words where that can be read, and closed.
///
/// Limit: ``limit`` at once. Past it one is closed where it stands.
final class Refusals {
    /// Of the descriptors that ``DescriptorShares/reserved`` keeps, half.
    static let limit = DescriptorShares.reserved / 2
    /// Until an answer is surely read: closing at once, with a request on its way, would be a reset, which can destroy it
    /// (RFC 9112, section 9.6).
    static let patience = TimeAmount.seconds(1)
    /// Octets of a request that has come already and is not read.
    private static let passedOver = 16 * 1024

    private var held: [HeldConnection] = []
    private let loop: EventLoop

    init(loop: EventLoop) { self.loop = loop }

    var count: Int { held.count }

    /// Closes a connection after `delay` without a word.
    func hold(_ fd: consuming OwnedFD, for delay: TimeAmount) {
        guard delay > .zero, held.count < Self.limit else { return }
        let connection = HeldConnection(fd, place: held.count, self)
        held.append(connection)
        loop.setDeadline(connection, loop.now + delay)
    }

    /// Answers HTTP/1.1 in clear text, whatever was asked.
    func answer(_ fd: consuming OwnedFD, _ text: StaticString, date: inout HTTPDate) {
        var octets = ByteBuffer(capacity: 256)
        LocalAnswer(status: 503, text: ByteView(text), persistence: .close, isForHead: false, minorVersion: 1)
            .write(date: &date, unixSeconds: loop.wallNow / 1_000_000_000, extraFields: .empty, to: &octets)
        // What has come is read, so that closing is no reset.
        var request = ByteBuffer(capacity: Self.passedOver)
        _ = SystemCalls.receive(fd.raw, into: &request)
        _ = SystemCalls.send(fd.raw, octets.view)
        Socket.shutdownWrite(fd.raw)
        hold(fd, for: Self.patience)
    }

    fileprivate func end(_ place: Int) {
        let last = held.removeLast()
        if place < held.count {
            held[place] = last
            last.place = place
        }
    }
}

private final class HeldConnection: Timed {
    private let fd: OwnedFD
    var place: Int
    private unowned let refusals: Refusals

    init(_ fd: consuming OwnedFD, place: Int, _ refusals: Refusals) {
        self.fd = fd
        self.place = place
        self.refusals = refusals
        super.init()
    }

    override func deadlinePassed(now: Instant) { refusals.end(place) }
}
