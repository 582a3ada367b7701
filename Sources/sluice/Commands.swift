import Glibc

/// One command of the program: what a user types after `sluice`.
struct Command: Sendable {
    let name: String
    /// What it is called with, for the first line of its help.
    let synopsis: String
    /// One line for the list of commands.
    let summary: String
    /// Its options, a line each, as they are printed.
    var options: String = ""
    /// Takes what follows the name; returns the exit status.
    let run: @Sendable ([String]) throws(UsageError) -> Int32
}

/// The command line was wrong: said in one line that tells what would be right. The exit status is then 2.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The table of commands.
enum Commands {
    static let all: [Command] = [
        .run, .check, .explain, .status, .reload, .stop, .guardian, .intercept, .echo, .cert, .version, .help,
    ]

    static let wrongUsage: Int32 = 2

    static func run(_ arguments: [String]) -> Int32 {
        // A process of a family that the supervisor started; not for users.
        if arguments.first == RoleArguments.marker { return RoleArguments.play(arguments) }
        guard let name = arguments.first else {
            Output.error("sluice: no command given; 'sluice run' starts the gateway, 'sluice help' lists the commands")
            return wrongUsage
        }
        let alias = ["--help": "help", "-h": "help", "--version": "version"][name] ?? name
        guard let command = all.first(where: { $0.name == alias }) else {
            if Command.unavailable.contains(name) {
                Output.error("sluice: '\(name)' is not in this version")
                return wrongUsage
            }
            let known = all.map(\.name).joined(separator: ", ")
            Output.error("sluice: there is no command '\(name)'; the commands are \(known)")
            return wrongUsage
        }
        let rest = Array(arguments.dropFirst())
        if rest.first == "--help" || rest.first == "-h" {
            Output.print(help(command))
            return 0
        }
        do throws(UsageError) {
            return try command.run(rest)
        } catch {
            Output.error("sluice \(command.name): \(error)")
            return wrongUsage
        }
    }

    static func help(_ command: Command) -> String {
        var text = "usage: sluice \(command.synopsis)\n\n\(command.summary)"
        if !command.options.isEmpty { text += "\n\n" + command.options }
        return text
    }
}

/// Lines to the terminal.
enum Output {
    static func print(_ line: String) { Swift.print(line) }

    static func error(_ line: String) {
        let octets = Array((line + "\n").utf8)
        _ = write(2, octets, octets.count)
    }
}
