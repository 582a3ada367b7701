import Compression
import Connection
import Core
import HTTP

/// A response's content on its way into a coding. Used again and again; its memory comes from the worker's blocks.
final class CompressedBody: BodyTransformation {
    private let resources: ConnectionResources
    /// Of the body at hand.
    fileprivate(set) var compressor: Compressor?

    init(_ resources: ConnectionResources) { self.resources = resources }

    override func take(_ content: ByteView) -> Bool {
        resources.buffers.supply(&output)
        return compressor?.take(content, to: &output) == true
    }

    /// What a backend streams goes out as it comes.
    override func pause() -> Bool {
        guard let compressor, compressor.holdsBack else { return true }
        resources.buffers.supply(&output)
        return compressor.flush(to: &output)
    }

    override func end(_ source: MessageStream) -> Bool {
        resources.buffers.supply(&output)
        return compressor?.end(to: &output) == true
    }

    /// Trailers are of the message, not of its content.
    override var keepsTrailers: Bool { true }

    override func releaseOutput() { resources.buffers.reclaim(&output) }
}

/// One worker's compressed bodies.
/// Limits: those of its ``CompressorPool``; ``keptLimit`` idle objects, which hold nothing.
final class CompressedBodies {
    static let keptLimit = 256

    private let resources: ConnectionResources
    private let compressors = CompressorPool()
    private var spare: [CompressedBody] = []

    init(_ resources: ConnectionResources) { self.resources = resources }

    /// Nil: there is no memory for another one now.
    func lease(_ coding: ContentCoding) -> CompressedBody? {
        guard let compressor = compressors.lease(coding) else { return nil }
        let body = spare.popLast() ?? CompressedBody(resources)
        body.restart()
        body.compressor = compressor
        return body
    }

    func giveBack(_ body: CompressedBody) {
        body.releaseOutput()
        if let compressor = body.compressor { compressors.giveBack(compressor) }
        body.compressor = nil
        if spare.count < Self.keptLimit { spare.append(body) }
    }
}
