import Core
import HTTP

/// Content on its way into one coding: what a coder holds of one body.
///
/// Used again and again: ``begin()`` starts a body, whatever became of the one before. Not shared between threads. What a
/// coder holds is bounded by its window and its tables, whatever the body's length (``CompressorPool/memory(of:)``).
open class Compressor {
    public let coding: ContentCoding
    /// Something was taken that ``flush(to:)`` would bring out.
    public final internal(set) var holdsBack = false

    init(_ coding: ContentCoding) { self.coding = coding }

    /// The next body begins.
    open func begin() { preconditionFailure("an abstract compressor") }

    /// Takes content; appends to `output` what is ready of it, which may be nothing.
    /// - Returns: false: the library has no memory, and the body cannot go on.
    public final func take(_ content: ByteView, to output: inout ByteBuffer) -> Bool {
        guard !content.isEmpty else { return true }
        holdsBack = true
        return run(content, .proceed, to: &output)
    }

    /// Appends all that was taken so far in a form that the receiver can read at once. Costs some of the compression: for
    /// when nothing more is there.
    public final func flush(to output: inout ByteBuffer) -> Bool {
        guard holdsBack else { return true }
        holdsBack = false
        return run(.empty, .flush, to: &output)
    }

    /// Appends the rest, and the coding's own end. ``begin()`` is what follows.
    public final func end(to output: inout ByteBuffer) -> Bool {
        holdsBack = false
        return run(.empty, .finish, to: &output)
    }

    enum Step { case proceed, flush, finish }

    func run(_ content: ByteView, _ step: Step, to output: inout ByteBuffer) -> Bool {
        preconditionFailure("an abstract compressor")
    }

    /// Octets of room that the output has at least when a library is called.
    static let outputStep = 4 * 1024
}
