import CLinux
import Core
import Glibc

/// Datagrams that are received in one call and sent on in one (recvmmsg(2), sendmmsg(2)). One is enough for a worker: it is
/// filled and emptied within one turn.
///
/// Its memory is 2 MiB of address space, of which only what was ever filled is real.
public final class DatagramBatch {
    /// Datagrams in one call.
    public static let limit = Int(CLINUX_DATAGRAMS)
    /// The longest payload that UDP can have.
    public static let longest = 65_535
    private static let stride = 65_536

    private let entries: UnsafeMutablePointer<clinux_datagram>
    private let octets: UnsafeMutableRawPointer
    /// Datagrams in it.
    public private(set) var count = 0

    public init() {
        entries = .allocate(capacity: Self.limit)
        entries.initialize(repeating: clinux_datagram(), count: Self.limit)
        octets = .allocate(byteCount: Self.limit * Self.stride, alignment: 4096)
        for i in 0..<Self.limit { entries[i].octets = octets + i * Self.stride }
    }

    deinit {
        entries.deallocate()
        octets.deallocate()
    }

    public enum Outcome: Equatable, Sendable {
        /// ``count`` is at least 1.
        case received
        case wouldBlock
        /// An ICMP message told of an earlier datagram that it did not arrive, for instance: the socket goes on.
        case failed(Errno)
    }

    /// Takes what waits, as many as fit.
    /// - Parameter addressed: ``peer(_:)`` and ``local(_:)`` are wanted; not so on connected sockets.
    public func receive(_ fd: CInt, addressed: Bool) -> Outcome {
        for i in 0..<Self.limit { entries[i].length = UInt32(Self.stride) }
        while true {
            let got = clinux_receive_datagrams(fd, entries, CInt(Self.limit), addressed ? 1 : 0)
            count = max(0, Int(got))
            if got > 0 { return .received }
            switch -got {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EBADF, EFAULT, ENOTSOCK: preconditionFailure("system call on a descriptor that is not ours")
            default: return .failed(Errno(-got))
            }
        }
    }

    /// Who sent it.
    public func peer(_ index: Int) -> SocketAddress? {
        precondition(index >= 0 && index < count, "no such datagram")
        return Self.read(&entries[index].peer)
    }

    /// The address it was sent to; nil: the kernel did not tell.
    public func local(_ index: Int) -> IPAddress? {
        precondition(index >= 0 && index < count, "no such datagram")
        return Self.read(&entries[index].local)?.ip
    }

    /// The datagram's octets; valid until the next call of `receive`.
    public func view(_ index: Int) -> ByteView {
        precondition(index >= 0 && index < count, "no such datagram")
        return ByteView(
            UnsafePointer(entries[index].octets.assumingMemoryBound(to: UInt8.self)), count: Int(entries[index].length))
    }

    private static func read(_ address: inout sockaddr_storage) -> SocketAddress? {
        withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Socket.read($0) }
        }
    }

    /// Gives datagrams addresses to be sent with: to whom, and from which address of ours.
    public func address(_ range: Range<Int>, to peer: SocketAddress, from local: IPAddress?, socketIsV6: Bool) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "no such datagram")
        for i in range {
            entries[i].peer_length = Socket.write(peer, asV6: socketIsV6, to: &entries[i].peer)
            entries[i].local.ss_family = 0
            if let local {
                _ = Socket.write(SocketAddress(ip: local, port: 0), asV6: false, to: &entries[i].local)
            }
        }
    }

    /// The datagrams go to whom the socket is connected.
    public func unaddress(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "no such datagram")
        for i in range {
            entries[i].peer_length = 0
            entries[i].local.ss_family = 0
        }
    }

    /// Sends datagrams as they lie. One that is refused is dropped: that is what UDP is like; the others go on.
    /// - Returns: how many were sent.
    public func send(_ range: Range<Int>, _ fd: CInt) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "no such datagram")
        var at = range.lowerBound
        var sent = 0
        // An error that an earlier datagram left on the socket (ICMP) is told once, by a call that sends nothing.
        var wasTold = false
        while at < range.upperBound {
            let result = clinux_send_datagrams(fd, entries + at, CInt(range.upperBound - at))
            if result > 0 {
                at += Int(result)
                sent += Int(result)
                wasTold = false
                continue
            }
            switch -result {
            case EINTR: continue
            case EAGAIN: return sent
            case EBADF, EFAULT, ENOTSOCK: preconditionFailure("system call on a descriptor that is not ours")
            case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPROTO, ENOPROTOOPT:
                if wasTold { at += 1 }
                wasTold.toggle()
            default:
                at += 1
                wasTold = false
            }
        }
        return sent
    }
}

extension Socket {
    /// Writes an address in the kernel's form; returns its length.
    /// - Parameter asV6: IPv4 in its mapped form, as sockets of IPv6 want it.
    static func write(_ address: SocketAddress, asV6: Bool, to storage: inout sockaddr_storage) -> socklen_t {
        withUnsafeMutableBytes(of: &storage) { bytes in
            if address.ip.isV4, !asV6 {
                var v4 = sockaddr_in()
                v4.sin_family = sa_family_t(AF_INET)
                v4.sin_port = address.port.bigEndian
                v4.sin_addr.s_addr = address.ip.v4.bigEndian
                bytes.storeBytes(of: v4, as: sockaddr_in.self)
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            }
            var v6 = sockaddr_in6()
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = address.port.bigEndian
            withUnsafeMutableBytes(of: &v6.sin6_addr) {
                $0.storeBytes(of: address.ip.high.bigEndian, toByteOffset: 0, as: UInt64.self)
                $0.storeBytes(of: address.ip.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            bytes.storeBytes(of: v6, as: sockaddr_in6.self)
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
    }
}
