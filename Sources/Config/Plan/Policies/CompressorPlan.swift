import Core
import HTTP

/// One entry of BackendTrafficPolicy `compressor` (or `compression`, its older name): a coding that responses may be sent
/// in. Of those that a client takes equally gladly the earlier entry wins.
public struct CompressorPlan: Equatable, BitwiseCopyable, Sendable {
    /// Of a response whose length is known and smaller nothing is compressed, in octets (`minContentLength`).
    public static let leastContentLength: UInt64 = 30

    public var coding: ContentCoding
    public var minContentLength: UInt64

    public init(_ coding: ContentCoding, minContentLength: UInt64 = Self.leastContentLength) {
        self.coding = coding
        self.minContentLength = minContentLength
    }
}
