import CLinux
import Core
import Glibc

/// A worker's end of its link to the supervisor.
public typealias WorkerLink = MessageLink<WorkerOrder, WorkerReport>
/// The controller's end of its link to the supervisor.
public typealias ControllerLink = MessageLink<ControllerNews, ControllerRequest>
/// The supervisor's ends.
public typealias SupervisorWorkerLink = MessageLink<WorkerReport, WorkerOrder>
public typealias SupervisorControllerLink = MessageLink<ControllerRequest, ControllerNews>

/// What a link's next message came to.
public enum Received<Message> {
    case message(Message)
    /// Nothing waits; epoll will tell.
    case nothing
    /// The other process is gone.
    case closed
    /// The other end broke the protocol, or this process has no descriptor left for what came with the message.
    case malformed(MalformedFrame)
}

/// One end of a SOCK_SEQPACKET pair between two processes of the family: whole messages with descriptors, in order.
///
/// The owner registers ``descriptor`` in its loop, receives until `.nothing` when it is readable, and calls ``flush()``
/// when it is writable. A child registers with `addReader` and chooses `.waiting`: the supervisor always reads soon.
public final class MessageLink<Incoming: FamilyMessage, Outgoing: FamilyMessage> {
    /// What happens to a message for which the socket has no room.
    public enum WhenFull: Equatable, Sendable {
        /// The sender waits, at most ``MessageLinkLimits/patience``; for children.
        case waiting
        /// It is queued, up to ``MessageLinkLimits/queue`` messages unless the link has its own limit; for the supervisor, which must never wait.
        case queueing
    }

    public enum Sent: Equatable, Sendable {
        case sent
        case queued
        /// The other process is gone; it will be noticed by whoever waits for it.
        case closed
        /// The other process has not read for long: the message is lost and the link is of no more use.
        case overflowing
    }

    private let fd: OwnedFD
    private let whenFull: WhenFull
    private let queueLimit: Int
    private var queue: [(octets: [UInt8], descriptors: [SharedFD])] = []
    private var buffer: UnsafeMutableRawBufferPointer

    /// - Parameters:
    ///   - fd: a non-blocking SOCK_SEQPACKET socket.
    ///   - queueLimit: messages that are queued at most.
    public init(
        fd: consuming OwnedFD, whenFull: WhenFull = .waiting, queueLimit: Int = MessageLinkLimits.queue
    ) {
        self.fd = fd
        self.whenFull = whenFull
        self.queueLimit = queueLimit
        buffer = .allocate(byteCount: MemoryLayout<FrameHeader>.size + Frame.payloadLimit, alignment: 8)
    }

    deinit { buffer.deallocate() }

    /// A link, and the other end for the process to be (socketpair(2)); both are non-blocking and close-on-exec.
    public static func pair(whenFull: WhenFull) throws(Errno) -> (link: MessageLink, other: SharedFD) {
        var ends: [CInt] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(errno) }
        let other = SharedFD(OwnedFD(adopting: ends[1]))
        return (MessageLink(fd: OwnedFD(adopting: ends[0]), whenFull: whenFull), other)
    }

    /// For the loop only.
    public var descriptor: CInt { fd.raw }
    public var queued: Int { queue.count }

    @discardableResult
    public func send(_ message: Outgoing) -> Sent {
        let frame = message.frame
        let octets = frame.octets
        if queue.isEmpty {
            switch attempt(octets, frame.descriptors) {
            case .sent: return .sent
            case .closed: return .closed
            case .full: break
            }
        }
        switch whenFull {
        case .waiting: return wait(octets, frame.descriptors)
        case .queueing:
            guard queue.count < queueLimit else { return .overflowing }
            queue.append((octets, frame.descriptors))
            return .queued
        }
    }

    /// Sends what is queued, as far as there is room.
    public func flush() {
        var done = 0
        sending: while done < queue.count {
            switch attempt(queue[done].octets, queue[done].descriptors) {
            case .sent: done += 1
            case .full: break sending
            case .closed: done = queue.count
            }
        }
        queue.removeFirst(done)
    }

    /// The next message. A receiver owns the descriptors in it.
    public func receive() -> Received<Incoming> {
        var numbers = [CInt](repeating: -1, count: Frame.descriptorLimit)
        while true {
            var count = CInt(numbers.count)
            let result = clinux_receive_fds(fd.raw, buffer.baseAddress, buffer.count, &numbers, &count)
            let descriptors = numbers[..<Int(count)].map { SharedFD(OwnedFD(adopting: $0)) }
            if result == 0 { return .closed }
            if result > 0 {
                do throws(MalformedFrame) {
                    let octets = UnsafeRawBufferPointer(rebasing: buffer[..<result])
                    return .message(try Incoming(try Frame(octets: octets, descriptors: descriptors)))
                } catch {
                    return .malformed(error)
                }
            }
            switch -Int32(result) {
            case EINTR: continue
            case EAGAIN: return .nothing
            case EMSGSIZE: return .malformed(.truncated)
            case ECONNRESET: return .closed
            default: return .malformed(.illegalValue)
            }
        }
    }

    private enum Attempt { case sent, full, closed }

    private func attempt(_ octets: [UInt8], _ descriptors: [SharedFD]) -> Attempt {
        let numbers = descriptors.map(\.raw)
        return withExtendedLifetime(descriptors) {
            while true {
                let result = clinux_send_fds(fd.raw, octets, octets.count, numbers, CInt(numbers.count))
                if result >= 0 { return .sent }
                switch -Int32(result) {
                case EINTR: continue
                // ETOOMANYREFS: too many descriptors are on their way already (unix(7)); the peer takes them soon.
                case EAGAIN, ENOBUFS, ETOOMANYREFS: return .full
                default: return .closed
                }
            }
        }
    }

    private func wait(_ octets: [UInt8], _ descriptors: [SharedFD]) -> Sent {
        let end = SystemCalls.monotonicNow() + MessageLinkLimits.patience
        while true {
            let left = end - SystemCalls.monotonicNow()
            guard left > .zero else { return .overflowing }
            var question = pollfd(fd: fd.raw, events: Int16(POLLOUT), revents: 0)
            _ = poll(&question, 1, Int32(min(left.milliseconds + 1, 1_000)))
            switch attempt(octets, descriptors) {
            case .sent: return .sent
            case .closed: return .closed
            case .full: continue
            }
        }
    }
}

/// The limits of ``MessageLink``, apart from it because a generic type cannot hold them.
public enum MessageLinkLimits {
    /// Messages that the supervisor keeps for a child that does not read: all sockets and some more.
    public static let queue = 2 * ControllerRequest.addressLimit
    /// How long a child waits for the supervisor to read.
    public static let patience = TimeAmount.seconds(5)
}
