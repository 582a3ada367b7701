import Core
import Glibc
import IO
import Supervisor

// A family with actors in the place of worker and controller: for the supervisor's tests, which tell them what to do.
// Arguments: WORKERS FOLDER DRAIN_TIMEOUT_MS; the supervisor adds ROLE INDEX IDENTITY in front for the actors.

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--role" {
    exit(Actor.play(arguments[1], Int(arguments[2])!, Array(arguments[3...])))
}

var options = RunOptions()
options.workers = Int(arguments[0])!
options.admin = .unix(path: arguments[1] + "/admin")
options.pidFile = arguments[1] + "/pid"
options.drainTimeout = .milliseconds(Int64(arguments[2])!)
var plan = FamilyPlan(options: options, liveStateSize: 4096, statisticsSize: 4096) { role, _ in
    switch role {
    case .controller: [role.title, "--role", "controller", "0"] + arguments
    case .worker(let index): [role.title, "--role", "worker", "\(index)"] + arguments
    }
}
plan.acknowledgement = .seconds(1)
exit(
    Supervisor.run(plan) { notice in
        let facts = notice.facts.map { " \($0.key)=\($0.value)" }.joined()
        let line = Array("\(notice.level) \(notice.text)\(facts)\n".utf8)
        _ = write(2, line, line.count)
    })
