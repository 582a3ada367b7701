import Support
import Testing

/// One run of `sluice explain`.
enum ExplainCommand {
    static func run(_ arguments: [String]) throws -> (code: UInt8, text: String) {
        let folder = try TemporaryFolder()
        let program = try Program(
            Program.built("sluice"), ["explain"] + arguments, output: folder.path + "/output")
        guard case .exited(let code) = try program.waitForEnd() else {
            Issue.record("\(arguments) was killed: \(program.output)")
            return (255, program.output)
        }
        return (code, program.output)
    }
}
