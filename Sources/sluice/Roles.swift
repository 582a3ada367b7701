import Controller
import IO
import Proxy

/// The one call of each role.
enum Roles {
    static func play(_ start: WorkerStart) -> Int32 { WorkerRole.run(start) }

    static func play(_ start: ControllerStart) -> Int32 { Controller.run(start, version: Version.current) }
}
