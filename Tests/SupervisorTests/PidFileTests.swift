import Glibc
import Support
import Testing

@testable import Supervisor

@Suite struct PidFileTests {
    @Test func isWrittenAndRemoved() throws {
        let folder = try TemporaryFolder()
        let file = try PidFile.write(folder.path + "/pid", pid: 4711)
        #expect(folder.read("pid") == "4711\n")
        file.remove()
        #expect(access(folder.path + "/pid", F_OK) != 0)
    }

    @Test func staleOneIsReplaced() throws {
        let folder = try TemporaryFolder()
        // Of a dead process; that the number may belong to a living one by now does not matter.
        try folder.write("pid", "\(getpid())\n")
        let file = try PidFile.write(folder.path + "/pid", pid: 4711)
        #expect(folder.read("pid") == "4711\n")
        file.remove()
    }

    @Test func oneInUseIsRefused() throws {
        let folder = try TemporaryFolder()
        let file = try PidFile.write(folder.path + "/pid", pid: 4711)
        #expect {
            _ = try PidFile.write(folder.path + "/pid", pid: 4712)
        } throws: { error in
            "\(error)".contains("in use by process 4711")
        }
        #expect(folder.read("pid") == "4711\n")
        file.remove()
    }

    @Test func anothersIsNotRemoved() throws {
        let folder = try TemporaryFolder()
        let file = try PidFile.write(folder.path + "/pid", pid: 4711)
        try folder.write("pid", "4712\n")
        file.remove()
        #expect(folder.read("pid") == "4712\n")
    }

    @Test func missingFolderIsSaid() throws {
        #expect {
            _ = try PidFile.write("/nowhere/at/all/pid")
        } throws: { error in
            "\(error)".contains("'/nowhere/at/all/pid' cannot be written")
        }
    }
}
