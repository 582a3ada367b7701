import Core

/// What a worker is busy with when it serves a call: what came last from somebody else.
public enum InputKind: UInt8, CaseIterable, Sendable {
    case requestHead = 1
    case requestBody, responseHead, responseBody, tunnel

    /// As the log has it.
    public var text: StaticString {
        switch self {
        case .requestHead: "request head"
        case .requestBody: "request body"
        case .responseHead: "response head"
        case .responseBody: "response body"
        case .tunnel: "tunnel"
        }
    }
}

/// When a service is kept to one worker because workers died of it.
public enum Isolation {
    /// Two deaths further apart than this are two accidents.
    public static let window = TimeAmount.seconds(600)
    /// After this all workers serve it again.
    public static let lasts = TimeAmount.seconds(600)
    /// Where there is only one worker the service is refused instead, for so long after each death.
    public static let refusal = TimeAmount.seconds(10)

    /// One death, in a word of shared memory.
    public struct Death: Equatable, Sendable {
        public let input: InputKind
        /// Seconds since 1970.
        public let second: UInt64

        public init(input: InputKind, at now: Int64) {
            self.input = input
            second = UInt64(max(0, now)) / 1_000_000_000
        }

        /// Nil: there was none.
        init?(word: UInt64) {
            guard let input = InputKind(rawValue: UInt8(truncatingIfNeeded: word >> 56)) else { return nil }
            self.input = input
            second = word & (1 << 56 - 1)
        }

        var word: UInt64 { UInt64(input.rawValue) << 56 | second & (1 << 56 - 1) }
    }

    /// The same kind of input killed twice within the window.
    static func isRepeated(_ before: Death?, _ death: Death) -> Bool {
        guard let before, before.input == death.input, death.second >= before.second else { return false }
        return death.second - before.second <= UInt64(window.nanoseconds / 1_000_000_000)
    }
}

/// Three words of a worker's own in shared memory: what it works on at this moment, and, if a signal has ended it, which one. Its
/// successor reads them before it begins.
public struct WorkMark: @unchecked Sendable {
    private let words: UnsafeMutablePointer<UInt64>

    init(_ place: UnsafeMutableRawPointer) { words = place.assumingMemoryBound(to: UInt64.self) }

    /// Something of this member is being worked on: two plain stores an event.
    @inline(__always) public func begin(_ slot: UInt32, _ input: InputKind) {
        words[0] = UInt64(slot) << 8 | UInt64(input.rawValue)
    }

    @inline(__always) public func end() { words[0] = 0 }

    /// All of it, to be kept while what lies around it is cleared.
    var kept: (UInt64, UInt64) {
        get { (words[0], words[1]) }
        nonmutating set { (words[0], words[1]) = newValue }
    }

    /// Where the handler of fatal signals writes the signal's number.
    public var signalWord: UnsafeMutablePointer<UInt64> { words + 1 }

    /// What this worker's predecessor was busy with when a signal of its own making ended it; nil: it ended otherwise, or was busy
    /// with nobody's. To be asked before ``LiveState/begin()``, which clears it.
    public var fatal: (slot: UInt32, input: InputKind)? {
        guard words[1] != 0, let input = InputKind(rawValue: UInt8(truncatingIfNeeded: words[0])) else { return nil }
        return (UInt32(truncatingIfNeeded: words[0] >> 8), input)
    }
}
