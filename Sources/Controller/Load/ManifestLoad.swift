import Config
import Core
import IO
import Manifest
import Telemetry

/// One set of manifests, read and resolved: what `check` tells, and what the controller decides on. Binds nothing.
package struct ManifestLoad {
    /// Why a set is not applied.
    package enum Refusal: Equatable, Sendable {
        case malformed
        /// An emptied folder is a mistake, not a wish.
        case noGateway

        package var text: StaticString {
            switch self {
            case .malformed: "the manifests are malformed"
            case .noGateway: "the manifests have no Gateway of ours"
            }
        }
    }

    package let hash: UInt64
    package private(set) var resolution: Resolution
    private let reading: [Finding]
    private let isEmpty: Bool

    /// - Parameter readFile: reads what the manifests name besides themselves.
    package init(
        _ files: ManifestFiles, previous: ResolveMemory = ResolveMemory(),
        readFile: @escaping (String) -> [UInt8]? = ReferencedFile.read
    ) {
        let set = ManifestReader.read(files: files.files.map { (path: $0.path, bytes: $0.bytes) })
        // An empty folder: the resolution has no file to point at.
        isEmpty = files.files.isEmpty && files.findings.isEmpty
        reading =
            files.findings + set.findings
            + (isEmpty
                ? [
                    Finding(
                        .unresolved, at: SourceLocation(file: files.paths.first ?? "", line: 1, column: 1),
                        "there is no *.yaml, *.yml or *.json here, so there is nothing to serve")
                ] : [])
        resolution = Resolver.resolve(set, previous: previous, now: Self.now, readFile: readFile)
        hash = Self.hash(files, resolution.followedFiles)
    }

    /// Of the manifests and of the files that they name: equal for equal sets.
    static func hash(_ files: ManifestFiles, _ followed: [FollowedFile]) -> UInt64 {
        guard !followed.isEmpty else { return files.hash }
        var hash = RollingHash()
        hash.value = files.hash
        for file in followed {
            for byte in file.path.utf8 { hash.add(byte) }
            hash.add(file.octets == nil ? 0 : 1)
            file.octets?.withUnsafeBufferPointer { for byte in $0 { hash.add(byte) } }
            hash.add(0)
        }
        return hash.value
    }

    /// Once more, knowing which sockets could not be bound: they change statuses and findings.
    package mutating func resolve(bindFailures: [ListeningAddress: BindFailure], previous: ResolveMemory) {
        // The files as they were the first time: both must speak of the same set.
        let contents = FileContents(resolution.followedFiles)
        resolution = Resolver.resolve(
            resolution.set, previous: previous, bindFailures: bindFailures, now: Self.now,
            readFile: contents.read)
    }

    /// Once more, if the host lacks an address that is listened on: what binding would have shown, told without binding.
    /// Ports are not looked at: who holds one now may be the gateway itself.
    package mutating func resolve(boundOn host: HostAddresses) {
        var failures: [ListeningAddress: BindFailure] = [:]
        for socket in resolution.plan.sockets {
            guard let errno = host.refusal(of: socket.address.ip) else { continue }
            failures[socket.listeningAddress] = BindFailure(errno: errno.code, message: errno.description)
        }
        if !failures.isEmpty { resolve(bindFailures: failures, previous: ResolveMemory()) }
    }

    private static var now: String { Timestamp.string(SystemCalls.wallNow()) }

    package var refusal: Refusal? {
        if reading.contains(where: { $0.kind == .malformed }) { return .malformed }
        return resolution.hasGateway ? nil : .noGateway
    }

    /// Everything that the author should know, from top to bottom, file by file. What a malformed set would mean is left
    /// out: a Service that is malformed would be reported missing by everyone who names it.
    package var findings: [Finding] {
        let all = refusal == .malformed || isEmpty ? reading : reading + resolution.findings
        var order: [String: Int] = [:]
        for finding in all where order[finding.location.file] == nil { order[finding.location.file] = order.count }
        func place(_ finding: Finding) -> (Int, Int, Int) {
            (order[finding.location.file] ?? 0, finding.location.line, finding.location.column)
        }
        return all.enumerated().sorted { a, b in
            let (one, other) = (place(a.element), place(b.element))
            return one == other ? a.offset < b.offset : one < other
        }.map(\.element)
    }
}
