import Connection
import Core

/// What must see a request's body as it passes: the mirrors, and the memory for another attempt.
/// Limit: ``limit`` octets are kept; a longer body cannot be sent again.
final class BodyRecorder: BodyTap {
    private var buffer = ByteBuffer()
    private var overflowed = false
    var keepsForReplay = false
    var limit = ExchangeLimits.recordedBody
    var mirrors: [Mirror] = []

    /// What was kept, from the body's first octet.
    var kept: ByteView { buffer.view }
    var isWhole: Bool { keepsForReplay && !overflowed }

    override func passed(_ content: ByteView) {
        if keepsForReplay, !overflowed {
            if buffer.count + content.count <= limit {
                buffer.append(content)
            } else {
                overflowed = true
                buffer.release()
            }
        }
        for mirror in mirrors { mirror.append(content) }
    }

    /// The body is complete.
    func ended() {
        for mirror in mirrors { mirror.bodyEnded() }
        mirrors.removeAll()
    }

    /// The request broke off.
    func broken() {
        for mirror in mirrors { mirror.abandon() }
        mirrors.removeAll()
    }
}
