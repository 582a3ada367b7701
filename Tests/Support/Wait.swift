import Core
import Glibc
import IO

/// A wait that did not come to its end in time.
public struct TimedOut: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Waiting for a condition, never for a time alone.
public enum Wait {
    /// How long anything may take on a busy machine before a test gives up.
    public static let patience = TimeAmount.seconds(20)

    /// Asks `condition` again and again until it holds.
    /// - Parameter what: for the failure: what was waited for.
    public static func until(
        _ what: @autoclosure () -> String, within limit: TimeAmount = patience, _ condition: () throws -> Bool
    ) throws {
        let end = SystemCalls.monotonicNow() + limit
        while try !condition() {
            guard SystemCalls.monotonicNow() < end else {
                throw TimedOut("waited \(limit.milliseconds) ms for \(what())")
            }
            usleep(2_000)
        }
    }

    /// The first value that is not nil.
    public static func forValue<Value>(
        _ what: @autoclosure () -> String, within limit: TimeAmount = patience, _ find: () throws -> Value?
    ) throws -> Value {
        var found: Value?
        try until(what(), within: limit) {
            found = try find()
            return found != nil
        }
        return found!
    }
}

/// What something took.
public struct Stopwatch {
    private let start = SystemCalls.monotonicNow()
    public init() {}
    public var elapsed: TimeAmount { SystemCalls.monotonicNow() - start }
}
