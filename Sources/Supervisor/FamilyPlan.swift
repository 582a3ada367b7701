import Core
import IO

/// What the supervisor needs to know to run a family: it knows neither what the memory holds nor what the roles do.
public struct FamilyPlan {
    public var options: RunOptions
    /// The program that plays the roles.
    public var executable: String
    /// Its arguments for a role, the name for ps(1) first.
    public var arguments: (Role, Identity?) -> [String]
    /// Octets of shared memory.
    public var liveStateSize: Int
    public var statisticsSize: Int
    /// Clears in the live state what a worker held that is not started again at once; nil: nothing is there to be cleared.
    public var workerEnded: ((UnsafeMutableRawBufferPointer, Int) -> Void)?
    /// A worker that has not taken over a snapshot for so long hangs, and is ended.
    public var acknowledgement = TimeAmount.seconds(10)

    /// - Parameter executable: by default the running program itself, even when its file was replaced meanwhile.
    public init(
        options: RunOptions, executable: String = "/proc/self/exe", liveStateSize: Int, statisticsSize: Int,
        arguments: @escaping (Role, Identity?) -> [String]
    ) {
        self.options = options
        self.executable = executable
        self.liveStateSize = liveStateSize
        self.statisticsSize = statisticsSize
        self.arguments = arguments
    }
}
