import CLinux
import Core
import Glibc

/// What a read or write on a non-blocking descriptor came to.
public enum Transfer: Equatable, Sendable {
    case octets(Int)
    /// Nothing could be moved now; epoll will tell when.
    case wouldBlock
    /// The peer sends no more (reads only).
    case endOfFile
    case failed(Errno)
}

/// The calls that serve traffic. Each captures errno before anything can disturb it, retries EINTR, and turns EAGAIN into
/// a value. EBADF and EFAULT are our own bugs and trap: the descriptor may be a stranger's by now.
public enum SystemCalls {
    @inline(__always)
    private static func transfer(_ result: Int) -> Transfer? {
        if result > 0 { return .octets(result) }
        if result == 0 { return .endOfFile }
        return failure(errno)
    }

    @inline(never)
    private static func failure(_ code: CInt) -> Transfer? {
        switch code {
        case EINTR: return nil
        case EAGAIN: return .wouldBlock
        case EBADF, EFAULT, ENOTSOCK: preconditionFailure("system call on a descriptor that is not ours")
        default: return .failed(Errno(code))
        }
    }

    /// recv(2) into the room at the buffer's end, at most `limit` octets.
    public static func receive(_ fd: CInt, into buffer: inout ByteBuffer, limit: Int = .max) -> Transfer {
        let room = min(buffer.room, limit)
        precondition(room > 0, "read without room")
        while true {
            if let done = transfer(recv(fd, buffer.writePointer, room, 0)) {
                if case .octets(let count) = done { buffer.didWrite(count) }
                return done
            }
        }
    }

    /// send(2) with MSG_NOSIGNAL. An empty view is not sent and counts as moved.
    public static func send(_ fd: CInt, _ view: ByteView, more: Bool = false) -> Transfer {
        guard let base = view.base, view.count > 0 else { return .octets(0) }
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        while true {
            if let done = transfer(Glibc.send(fd, base, view.count, flags)) { return done }
        }
    }

    /// Two views in one call, in this order (sendmsg(2), MSG_NOSIGNAL).
    public static func send(_ fd: CInt, _ first: ByteView, _ second: ByteView, more: Bool = false) -> Transfer {
        if second.isEmpty { return send(fd, first, more: more) }
        if first.isEmpty { return send(fd, second, more: more) }
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        var parts = (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.base), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.base), iov_len: second.count)
        )
        return withUnsafeMutablePointer(to: &parts) { pair in
            var message = msghdr()
            message.msg_iov = UnsafeMutableRawPointer(pair).assumingMemoryBound(to: iovec.self)
            message.msg_iovlen = 2
            while true {
                if let done = transfer(sendmsg(fd, &message, flags)) { return done }
            }
        }
    }

    /// splice(2) between a pipe and a socket.
    public static func splice(from: CInt, to: CInt, length: Int, more: Bool) -> Transfer {
        while true {
            let result = clinux_splice(from, to, length, more ? 1 : 0)
            if result > 0 { return .octets(result) }
            if result == 0 { return .endOfFile }
            if let done = failure(CInt(-result)) { return done }
        }
    }

    /// Takes as many descriptors as the hard limit allows (RLIMIT_NOFILE); children inherit it.
    public static func raiseDescriptorLimit() { clinux_raise_descriptor_limit() }

    /// CLOCK_MONOTONIC.
    public static func monotonicNow() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// CLOCK_REALTIME, nanoseconds since 1970.
    public static func wallNow() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Octets from the kernel's random source (getrandom(2)).
    public static func randomSeed() -> UInt64 {
        var seed: UInt64 = 0
        while getrandom(&seed, MemoryLayout<UInt64>.size, 0) != MemoryLayout<UInt64>.size {}
        return seed
    }

    /// Likewise, as many as the buffer holds; at most 256, which the kernel never cuts short.
    public static func fillWithChance(_ buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count <= 256, "more chance than comes in one piece")
        while getrandom(buffer.baseAddress, buffer.count, 0) != buffer.count {}
    }

    /// Waits until a process has ended, its own parent's wait or not (pidfd_open(2)); at once when there is none.
    public static func waitForEnd(of pid: Int32) {
        let raw = clinux_pidfd_open(pid)
        guard raw >= 0 else { return }
        let fd = OwnedFD(adopting: raw)
        var question = pollfd(fd: fd.raw, events: Int16(POLLIN), revents: 0)
        while poll(&question, 1, -1) < 0, errno == EINTR {}
    }

    /// One arena, and large blocks from the system and back to it (mallopt(3)): for a process that holds much for a moment.
    public static func returnMemoryEarly() { clinux_malloc_arena_limit() }

    /// A signal that ends this process because of what it did leaves its number in `word` first.
    public static func noteFatalSignals(in word: UnsafeMutablePointer<UInt64>) { clinux_note_fatal_signals(word) }

    /// Gives free memory back to the system (malloc_trim(3)): for the control side, after a large set was loaded.
    public static func trimMemory() { clinux_malloc_trim() }
}
