extension Command {
    static let help = Command(
        name: "help", synopsis: "help [COMMAND]", summary: "Lists the commands, or explains one."
    ) { arguments throws(UsageError) in
        guard arguments.count <= 1 else { throw UsageError("takes one command, not '\(arguments[1])' too") }
        guard let name = arguments.first else {
            let width = Commands.all.map(\.name.count).max() ?? 0
            let lines = Commands.all.map { command in
                "  " + command.name + String(repeating: " ", count: width - command.name.count + 2) + command.summary
            }
            Output.print("usage: sluice COMMAND …\n\n" + lines.joined(separator: "\n"))
            return 0
        }
        guard let command = Commands.all.first(where: { $0.name == name }) else {
            if Command.unavailable.contains(name) { throw UsageError("'\(name)' is not in this version") }
            throw UsageError("there is no command '\(name)'; 'sluice help' lists them")
        }
        Output.print(Commands.help(command))
        return 0
    }

    static let version = Command(name: "version", synopsis: "version", summary: "Prints the version.") {
        arguments throws(UsageError) in
        guard arguments.isEmpty else { throw UsageError("takes no arguments") }
        Output.print("sluice \(Version.current)")
        return 0
    }
}

/// Of this program.
enum Version {
    static let current = "0.1.0"
}
