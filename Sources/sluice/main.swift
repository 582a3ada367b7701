import Glibc

// From the command line to one call. The commands are listed in Commands.all; each has its own file in Command/.
exit(Commands.run(Array(CommandLine.arguments.dropFirst())))
