import Core
import Glibc
import IO
import Telemetry

/// How the supervisor tells a process of its family which role to play:
/// `TITLE --role controller|worker INDEX UID:GID:NAME|- ARGUMENTS OF RUN…`.
///
/// Every process reads the same arguments of `run` with the same code, so there is one place that knows them.
enum RoleArguments {
    static let marker = "--role"

    static func make(_ role: Role, _ identity: Identity?, _ run: [String]) -> [String] {
        let (name, index) =
            switch role {
            case .controller: ("controller", 0)
            case .worker(let index): ("worker", index)
            }
        let owner = identity.map { "\($0.uid):\($0.gid):\($0.name)" } ?? "-"
        return [role.title, marker, name, "\(index)", owner] + run
    }

    /// Plays the role; returns the process's exit status (``RoleExit``).
    static func play(_ arguments: [String]) -> Int32 {
        guard arguments.count >= 4, let index = Int(arguments[2]),
            let options = try? RunOptions(arguments: Array(arguments[4...]))
        else {
            Output.error("sluice: \(marker) is for the gateway's own processes; use 'sluice run'")
            return Commands.wrongUsage
        }
        let identity = Identity(argument: arguments[3])
        do throws(RoleFailure) {
            switch arguments[1] {
            case "controller": return Roles.play(try RoleEntry.controller(options: options, identity: identity))
            case "worker": return Roles.play(try RoleEntry.worker(index: index, options: options, identity: identity))
            default: return Commands.wrongUsage
            }
        } catch {
            Log(level: options.logLevel, speaker: arguments[1]).error(
                "cannot begin", ["reason": .text(error.description)])
            return RoleExit.unable
        }
    }
}

extension Identity {
    fileprivate init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 2)
        guard parts.count == 3, let uid = UInt32(parts[0]), let gid = UInt32(parts[1]) else { return nil }
        self.init(uid: uid, gid: gid, name: String(parts[2]))
    }
}
