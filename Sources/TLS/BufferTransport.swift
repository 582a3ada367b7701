import COpenSSL
import Core
import Glibc

/// What OpenSSL takes for the network: the two buffers of a ``TLSSession``. A BIO of our own, since OpenSSL's memory
/// BIOs own their memory and never give it back.
enum BufferTransport {
    /// One for the process: a table of functions.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice buffers") else {
            fatalError("out of memory")
        }
        BIO_meth_set_read_ex(method, readCallback)
        BIO_meth_set_write_ex(method, writeCallback)
        BIO_meth_set_ctrl(method, controlCallback)
        return method
    }()

    /// A transport of `session`, which must outlive it.
    static func make(for session: TLSSession) -> OpaquePointer? {
        guard let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(session).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    static func session(of bio: OpaquePointer?) -> TLSSession? {
        guard let data = BIO_get_data(bio) else { return nil }
        return Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    private static let retryFlags = CInt(
        BIO_FLAGS_READ | BIO_FLAGS_WRITE | BIO_FLAGS_IO_SPECIAL | BIO_FLAGS_SHOULD_RETRY)

    private static let readCallback:
        @convention(c) (OpaquePointer?, UnsafeMutablePointer<CChar>?, Int, UnsafeMutablePointer<Int>?) -> CInt = {
            bio, room, size, count in
            BIO_clear_flags(bio, retryFlags)
            guard let session = session(of: bio), let room, let count else { return 0 }
            let available = min(size, session.received.count)
            count.pointee = available
            if available > 0 {
                memcpy(room, session.received.view.base.unsafelyUnwrapped, available)
                session.received.consume(available)
                if session.received.isEmpty { session.received.clear() }
                return 1
            }
            if !session.hasInputEnded { BIO_set_flags(bio, CInt(BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY)) }
            return 0
        }

    private static let writeCallback:
        @convention(c) (OpaquePointer?, UnsafePointer<CChar>?, Int, UnsafeMutablePointer<Int>?) -> CInt = {
            bio, octets, size, count in
            BIO_clear_flags(bio, retryFlags)
            guard let session = session(of: bio), let octets, let count else { return 0 }
            guard session.pending.count + size <= TLSLimits.pendingAtMost else {
                count.pointee = 0
                BIO_set_flags(bio, CInt(BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY))
                return 0
            }
            if session.pending.isEmpty {
                session.pending.clear()
            } else if session.pending.room < size {
                session.pending.compact()
            }
            octets.withMemoryRebound(to: UInt8.self, capacity: size) {
                session.pending.append(ByteView($0, count: size))
            }
            count.pointee = size
            return 1
        }

    private static let controlCallback: @convention(c) (OpaquePointer?, CInt, Int, UnsafeMutableRawPointer?) -> Int = {
        bio, command, _, _ in
        switch command {
        case BIO_CTRL_FLUSH: 1
        // Tells OpenSSL an end from a pause, so that it reports a truncation.
        case BIO_CTRL_EOF: session(of: bio)?.hasInputEnded == true ? 1 : 0
        default: 0
        }
    }
}
