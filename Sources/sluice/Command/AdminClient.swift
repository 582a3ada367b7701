import Core
import Glibc
import HTTP
import IO

/// One request to the admin interface of a running gateway, and its answer. Blocking, for commands.
enum AdminClient {
    struct Answer {
        var status: UInt16
        var body: [UInt8]
    }

    /// Why there is no answer.
    struct Unreachable: Error, CustomStringConvertible {
        let description: String
    }

    /// Until the connection stands, and then for each read; a reload of a large set is waited for longer.
    static let patience = TimeAmount.seconds(120)
    /// Octets of an answer.
    static let answerLimit = 256 * 1024 * 1024

    static func request(
        _ method: String, _ path: String, accept: String, at address: AdminAddress
    ) throws(Unreachable) -> Answer {
        let fd = try connect(address)
        let host: String
        switch address {
        case .tcp(let address): host = address.description
        case .unix, .off: host = "localhost"
        }
        var head = ByteBuffer()
        head.append(
            string: "\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nAccept: \(accept)\r\nConnection: close\r\n"
                + "Content-Length: 0\r\n\r\n")
        var sent = 0
        while sent < head.count {
            let result = send(
                fd.raw, head.view.base.unsafelyUnwrapped + sent, head.count - sent, Int32(MSG_NOSIGNAL))
            if result < 0, errno != EINTR { throw Unreachable(description: "\(address): \(Errno(errno))") }
            sent += max(0, result)
        }
        return try read(fd.raw, address)
    }

    private static func read(_ fd: CInt, _ address: AdminAddress) throws(Unreachable) -> Answer {
        var octets = ByteBuffer(capacity: 64 * 1024)
        while octets.count < answerLimit {
            octets.makeRoom(64 * 1024)
            let result = recv(fd, octets.writePointer, octets.room, 0)
            if result == 0 { break }
            if result < 0 {
                if errno == EINTR { continue }
                throw Unreachable(description: "\(address): the answer did not come: \(Errno(errno))")
            }
            octets.didWrite(result)
        }
        var head = ResponseHead()
        var parser = ResponseHeadParser()
        guard case .complete = parser.parse(octets.view, into: &head, method: .get, limits: .response) else {
            throw Unreachable(description: "\(address): what answers there is no admin interface")
        }
        return Answer(status: head.status, body: octets.view.from(head.length).array)
    }

    private static func connect(_ address: AdminAddress) throws(Unreachable) -> OwnedFD {
        let family: CInt
        switch address {
        case .off: throw Unreachable(description: "the gateway runs without an admin interface (--admin off)")
        case .unix: family = AF_UNIX
        case .tcp(let address): family = address.ip.isV4 ? AF_INET : AF_INET6
        }
        let raw = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw Unreachable(description: "\(Errno(errno))") }
        let fd = OwnedFD(adopting: raw)
        var time = timeval(tv_sec: Int(patience.milliseconds / 1000), tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        guard connect(raw, address) == 0 else {
            throw Unreachable(
                description: "no gateway answers on \(address): \(Errno(errno)); name its admin interface with --admin")
        }
        return fd
    }

    private static func connect(_ fd: CInt, _ address: AdminAddress) -> CInt {
        switch address {
        case .off: return -1
        case .tcp(let address): return Socket.withAddress(address) { Glibc.connect(fd, $0, $1) }
        case .unix(let path):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let fits = withUnsafeMutableBytes(of: &name.sun_path) { room in
                guard path.utf8.count < room.count else { return false }
                room.copyBytes(from: path.utf8)
                return true
            }
            guard fits else {
                errno = ENAMETOOLONG
                return -1
            }
            return withUnsafePointer(to: name) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
    }
}
