import CNghttp2
import Core

/// The library's callbacks and options, made once, and the memory that the sessions of one worker share. Outlives them.
public final class HTTP2Library {
    /// Free lanes that are kept.
    static let keptLanes = 1024

    let callbacks: OpaquePointer
    private let memory = HTTP2Memory()
    var fieldList = HTTP2FieldList()
    private var lanes: [HTTP2Lane] = []

    public init() {
        var made: OpaquePointer?
        guard nghttp2_session_callbacks_new(&made) == 0, let made else { fatalError("out of memory") }
        callbacks = made
        HTTP2Callbacks.install(made)
    }

    deinit { nghttp2_session_callbacks_del(callbacks) }

    func leaseLane() -> HTTP2Lane { lanes.popLast() ?? HTTP2Lane() }

    func giveBack(_ lane: HTTP2Lane) {
        guard lanes.count < Self.keptLanes else { return }
        lane.reset()
        lanes.append(lane)
    }

    func makeSession(_ side: HTTP2Session.Side, _ limits: HTTP2Limits, for session: HTTP2Session) -> OpaquePointer {
        var option: OpaquePointer?
        guard nghttp2_option_new(&option) == 0, let option else { fatalError("out of memory") }
        defer { nghttp2_option_del(option) }
        // Windows are given back by hand: the connection's at once, a stream's when its reader has used the octets.
        nghttp2_option_set_no_auto_window_update(option, 1)
        // Closed streams would be kept for the priorities that nobody asks for.
        nghttp2_option_set_no_closed_streams(option, 1)
        nghttp2_option_set_max_settings(option, limits.abuse.settings)
        nghttp2_option_set_max_send_header_block_length(option, 2 * HeadLimits.response.octets)
        // The library counts a CONTINUATION again for every read that ends in its nine octets of header; ``HTTP2FrameScan``
        // counts frames, and strikes first.
        nghttp2_option_set_max_continuations(option, (limits.abuse.continuations + 1) * HTTP2FrameScan.headerOctets)
        // ``HTTP2Guard`` keeps this account, with time that comes from outside and with merits; the library's must not be
        // the first to strike, as its own clock would.
        nghttp2_option_set_stream_reset_rate_limit(option, 1 << 30, 1 << 30)
        var made: OpaquePointer?
        let user = Unmanaged.passUnretained(session).toOpaque()
        let result =
            switch side {
            case .server: nghttp2_session_server_new3(&made, callbacks, user, option, memory.functions)
            case .client: nghttp2_session_client_new3(&made, callbacks, user, option, memory.functions)
            }
        guard result == 0, let made else { fatalError("out of memory") }
        return made
    }
}
