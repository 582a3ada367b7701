import Connection
import Core

/// What must see a request's body as it passes: the mirrors, and the memory for another attempt.
/// Limit: ``limit`` octets are kept; a longer body cannot be sent again.
final class BodyRecorder: BodyTap {
    private let resources: ConnectionResources
    private var buffer = ByteBuffer()
    private var overflowed = false
    var keepsForReplay = false
    /// `connection.bufferLimit` of a policy, where one is written.
    var limit = ExchangeLimits.recordedBody
    var mirrors: [Mirror] = []

    init(_ resources: ConnectionResources) {
        self.resources = resources
        super.init()
    }

    /// What was kept, from the body's first octet.
    var kept: ByteView { buffer.view }
    var isWhole: Bool { keepsForReplay && !overflowed }

    override func passed(_ content: ByteView) {
        if keepsForReplay, !overflowed {
            if buffer.count + content.count <= limit {
                resources.buffers.supply(&buffer)
                buffer.append(content)
            } else {
                overflowed = true
                resources.buffers.reclaim(&buffer)
            }
        }
        for mirror in mirrors { mirror.append(content) }
    }

    /// The body is complete.
    func ended() {
        for mirror in mirrors { mirror.bodyEnded() }
        mirrors.removeAll(keepingCapacity: true)
    }

    /// The request broke off.
    func broken() {
        for mirror in mirrors { mirror.abandon() }
        mirrors.removeAll(keepingCapacity: true)
    }

    /// Empty, for the next request's body.
    func reset() {
        resources.buffers.reclaim(&buffer)
        overflowed = false
        keepsForReplay = false
        limit = ExchangeLimits.recordedBody
    }
}
