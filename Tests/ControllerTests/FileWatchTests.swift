import Core
import Glibc
import IO
import Support
import Testing

@testable import Controller

@Suite("Watched files")
struct FileWatchTests {
    /// Turns the loop until `count` changes were told, or the patience is over.
    private func changes(
        _ paths: [String], _ action: () throws -> Void, expecting count: Int = 1
    ) throws -> Int {
        let loop = EventLoop()
        var seen = 0
        let watch = FileWatch(paths: paths, loop: loop) { seen += 1 }
        #expect(watch.problem == nil)
        try action()
        let end = SystemCalls.monotonicNow() + .seconds(10)
        while seen < count, SystemCalls.monotonicNow() < end { loop.turn(limit: 20) }
        // A quiet time more: what comes too often comes now.
        let quiet = SystemCalls.monotonicNow() + FileWatch.quietTime + FileWatch.quietTime
        while SystemCalls.monotonicNow() < quiet { loop.turn(limit: 20) }
        return withExtendedLifetime(watch) { seen }
    }

    @Test func anEditorThatRenames() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.yaml", "1")
        #expect(try changes([folder.path]) { try folder.write("a.yaml", "2") } == 1)
    }

    @Test func manyFilesAreOneChange() throws {
        let folder = try TemporaryFolder()
        #expect(try changes([folder.path]) { for i in 0..<100 { try folder.write("\(i).yaml", "\(i)") } } == 1)
    }

    @Test func aNamedFileThatIsReplaced() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.yaml", "1")
        #expect(try changes([path]) { try folder.write("a.yaml", "2") } == 1)
    }

    @Test func aFolderThatComesLater() throws {
        let folder = try TemporaryFolder()
        #expect(
            try changes([folder.path]) {
                try folder.write("new/a.yaml", "1")
            } >= 1)
    }

    @Test func aMountedConfigMapThatSwapsItsLink() throws {
        let folder = try TemporaryFolder()
        try folder.write("..v1/a.yaml", "1")
        try folder.write("..v2/a.yaml", "2")
        symlink("..v1", folder.path + "/..data")
        symlink("..data/a.yaml", folder.path + "/a.yaml")
        let count = try changes([folder.path]) {
            symlink("..v2", folder.path + "/..tmp")
            rename(folder.path + "/..tmp", folder.path + "/..data")
        }
        #expect(count == 1)
    }

    @Test func aFileThatAManifestNames() throws {
        let (manifests, keys) = (try TemporaryFolder(), try TemporaryFolder())
        try manifests.write("a.yaml", "1")
        try keys.write("site.key", "1")
        let loop = EventLoop()
        var seen = 0
        let watch = FileWatch(paths: [manifests.path], loop: loop) { seen += 1 }
        watch.follow([keys.path + "/site.key"])
        try keys.write("other.key", "1")
        try keys.write("site.key", "2")
        let end = SystemCalls.monotonicNow() + .seconds(10)
        while seen < 1, SystemCalls.monotonicNow() < end { loop.turn(limit: 20) }
        withExtendedLifetime(watch) { #expect(seen == 1) }
    }

    @Test func nothingHappens() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.yaml", "1")
        #expect(try changes([folder.path], {}, expecting: 0) == 0)
    }

    @Test(arguments: [("a.yaml", "."), ("/a.yaml", "/"), ("x/a.yaml", "x"), ("/x/y/a.yaml", "/x/y")])
    func parents(path: String, parent: String) { #expect(FileWatch.parent(of: path) == parent) }
}
