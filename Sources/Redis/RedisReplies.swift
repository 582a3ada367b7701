import CHiredis
import Core

/// Replies out of octets, in their order, read by hiredis. What is not asked for (texts, lists) is passed over, so that a
/// reply allocates nothing once the reader's buffer is warm.
public final class RedisReplies {
    public enum Reply: Equatable, Sendable {
        case integer(Int64)
        /// A status such as `OK`, a text, a list, nothing.
        case other
        /// The server refuses the command.
        case error(String)
    }
    /// The octets are no replies; nothing that follows can be read.
    public struct ProtocolError: Error, Equatable {}

    /// What the reader's functions tell of the reply that they have just read.
    private struct Note {
        var kind: Int32 = 0
        var integer: Int64 = 0
        var error = ""
    }

    private let reader: UnsafeMutablePointer<redisReader>
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    private let note: UnsafeMutablePointer<Note>
    /// An error's text past this is cut.
    private static let longestError = 128

    public init() {
        note = .allocate(capacity: 1)
        note.initialize(to: Note())
        functions = .allocate(capacity: 1)
        // Replies are noted, not made: the reader only wants some address for each.
        functions.initialize(
            to: redisReplyObjectFunctions(
                createString: { task, text, length in
                    RedisReplies.noted(task) { note in
                        guard let task, task.pointee.type == REDIS_REPLY_ERROR, let text else { return }
                        note.pointee.error =
                            ByteView(
                                UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self),
                                count: min(length, RedisReplies.longestError)
                            ).string
                    }
                },
                createArray: { task, _ in RedisReplies.noted(task) { _ in } },
                createInteger: { task, value in RedisReplies.noted(task) { $0.pointee.integer = value } },
                createNil: { task in RedisReplies.noted(task) { _ in } },
                freeObject: { _ in }))
        guard let made = redisReaderCreateWithFunctions(functions) else { fatalError("out of memory") }
        reader = made
        reader.pointee.privdata = UnsafeMutableRawPointer(note)
    }

    deinit {
        redisReaderFree(reader)
        functions.deallocate()
        note.deinitialize(count: 1)
        note.deallocate()
    }

    private static func noted(
        _ task: UnsafePointer<redisReadTask>?, _ take: (UnsafeMutablePointer<Note>) -> Void
    ) -> UnsafeMutableRawPointer? {
        guard let task, let place = task.pointee.privdata else { preconditionFailure("a reply without its reader") }
        let note = place.assumingMemoryBound(to: Note.self)
        // Of a list, its own word comes first and counts.
        if task.pointee.parent == nil {
            note.pointee.kind = task.pointee.type
            take(note)
        }
        return place
    }

    public func feed(_ octets: ByteView) {
        guard let base = octets.base, octets.count > 0 else { return }
        let result = UnsafeRawPointer(base).withMemoryRebound(to: CChar.self, capacity: octets.count) {
            redisReaderFeed(reader, $0, octets.count)
        }
        // A broken reader says so again when it is asked.
        precondition(result == REDIS_OK || reader.pointee.err != 0, "the reader takes nothing")
    }

    /// The next reply; nil: it is not whole yet.
    public func next() throws(ProtocolError) -> Reply? {
        var reply: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw ProtocolError() }
        guard reply != nil else { return nil }
        switch note.pointee.kind {
        case REDIS_REPLY_INTEGER: return .integer(note.pointee.integer)
        case REDIS_REPLY_ERROR: return .error(note.pointee.error)
        default: return .other
        }
    }
}
