import Core
import Glibc
import IO
import Support

/// A staged family: the real supervisor with actors that do what a test tells them.
final class Stage {
    let folder: TemporaryFolder
    let program: Program

    init(workers: Int = 2, drainTimeout: Int = 1000, controller: String? = nil, worker: String? = nil) throws {
        folder = try TemporaryFolder()
        var environment: [String: String] = [:]
        environment["STAGE_CONTROLLER"] = controller
        environment["STAGE_WORKER"] = worker
        program = try Program(
            Program.built("stage"), ["\(workers)", folder.path, "\(drainTimeout)"], environment: environment,
            output: folder.path + "/output")
    }

    /// One command to the controller; its answer.
    func tell(_ command: String) throws -> String {
        var answer = ""
        try Wait.until("an answer to '\(command)'; output:\n\(program.output)") {
            // A controller that is being replaced answers when the next one is there.
            guard let client = try? Client(path: folder.path + "/admin"), (try? client.send(command + "\n")) != nil,
                let line = try? client.readLine()
            else { return false }
            answer = line
            return true
        }
        return answer
    }

    /// One command to the controller, which may not live to answer it.
    func command(_ command: String) throws {
        let client = try Client(path: folder.path + "/admin")
        try client.send(command + "\n")
        _ = try? client.readLine()
    }

    /// One command to a worker that listens on the port: its index, process, generation and snapshot.
    func ask(_ port: UInt16, _ command: String = "hello") throws -> (
        index: Int, pid: Int32, generation: Int, text: String
    ) {
        let client = try Client(port: port)
        try client.send(command + "\n")
        let words = try client.readLine().split(separator: " ")
        return (Int(words[0])!, Int32(words[1])!, Int(words[2])!, String(words[3]))
    }

    func workerPids() throws -> [Int32] {
        try tell("workers").split(separator: " ").compactMap { Int32($0.split(separator: ":")[2]) }
    }

    /// Waits until every worker serves this revision.
    func waitForRevision(_ revision: Int, workers: Int = 2) throws {
        try Wait.until("revision \(revision); output:\n\(program.output)") {
            let list = try tell("workers").split(separator: " ")
            return list.count == workers && list.allSatisfy { $0.hasSuffix(":\(revision)") && $0.contains(":serving:") }
        }
    }
}
