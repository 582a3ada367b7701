import Core
import Glibc
import IO
import TLS

/// What `sluice cert` does, with files. Nothing here outlives the command.
enum CertCommand {
    /// Seconds: ten years, thirty days.
    static let authorityLifetime: Int64 = 87_600 * 3600
    static let workloadLifetime: Int64 = 720 * 3600
    /// Between two looks of `rotate --watch`, in seconds.
    static let pause: UInt32 = 600
    /// Looks in the shortest life of a certificate, of which the last third is there to renew it.
    static let looksPerLife: Int64 = 6
    /// Octets of a certificate's or key's file at most.
    static let sizeLimit = 1 << 20

    static let authorityCertificate = "ca.crt"
    static let authorityKey = "ca.key"
    static let certificate = "tls.crt"
    static let key = "tls.key"

    static var now: Int64 { SystemCalls.wallNow() / 1_000_000_000 }

    // MARK: ca

    static func makeAuthority(_ arguments: CertArguments) throws(CertFailure) {
        let folder = try needed(arguments.out, "--out DIR")
        try makeFolder(folder)
        let (certificatePath, keyPath) = ("\(folder)/\(authorityCertificate)", "\(folder)/\(authorityKey)")
        for path in [certificatePath, keyPath] where exists(path) {
            throw .failed("\(path) is there already, and a CA is never written over; name another folder")
        }
        let pair = try made { () throws(CertificateMaker.Failure) in
            try CertificateMaker.authority(
                trustDomain: arguments.trustDomain, now: now, lifetime: arguments.lifetime ?? authorityLifetime)
        }
        // The key first, and only where there is none: two commands at once make one CA.
        try create(pair.key, at: keyPath, mode: 0o600)
        try create(pair.certificate, at: certificatePath, mode: 0o644)
        Output.print(
            "\(certificatePath): the CA of trust domain '\(arguments.trustDomain)'; keep \(keyPath) to yourself")
    }

    // MARK: workload

    static func makeWorkload(_ arguments: CertArguments) throws(CertFailure) {
        let folder = try needed(arguments.out, "--out DIR")
        let authority = try Authority(folder: try needed(arguments.authority, "--ca DIR"))
        let namespace = try needed(arguments.namespace, "--namespace NS")
        let account = try needed(arguments.serviceAccount, "--service-account SA")
        guard
            let id = SPIFFEID(
                trustDomain: authority.trustDomain, namespace: namespace, serviceAccount: account)
        else { throw .failed("'\(namespace)' and '\(account)' make no SPIFFE id") }
        try makeFolder(folder)
        for path in [key, certificate].map({ "\(folder)/\($0)" }) where !arguments.replaces && exists(path) {
            throw .failed("\(path) is there already: 'cert rotate' renews it, --replace puts another in its place")
        }
        try issue(
            id, arguments.dnsNames, by: authority, to: folder, lifetime: arguments.lifetime ?? workloadLifetime)
    }

    static func issue(
        _ id: SPIFFEID, _ dnsNames: [String], by authority: Authority, to folder: String, lifetime: Int64
    ) throws(CertFailure) {
        let pair = try made { () throws(CertificateMaker.Failure) in
            try CertificateMaker.workload(
                id, dnsNames: dnsNames, bundle: authority.bundle, authorityKey: authority.key, now: now,
                lifetime: lifetime)
        }
        try needMayReplace([authorityCertificate, key, certificate].map { "\(folder)/\($0)" })
        try replace(authority.bundle, at: "\(folder)/\(authorityCertificate)", mode: 0o644)
        // Between the two renames the files are no pair; a gateway keeps the pair before it until they are one.
        try replace(pair.key, at: "\(folder)/\(key)", mode: 0o600)
        try replace(pair.certificate, at: "\(folder)/\(certificate)", mode: 0o644)
        let facts = try facts(pair.certificate, "\(folder)/\(certificate)")
        Output.print("\(folder)/\(certificate): \(id), until \(Self.time(facts.notAfter))")
    }

    // MARK: show

    static func show(_ arguments: CertArguments) throws(CertFailure) {
        guard !arguments.operands.isEmpty else { throw .usage(UsageError("which? write the files: show FILE|DIR…")) }
        var files: [String] = []
        for operand in arguments.operands { files += try certificateFiles(operand) }
        for path in files {
            for block in try blocks(try read(path), path) {
                let facts = try facts(block, path)
                Output.print("\(path): \(facts.subject)\(facts.isAuthority ? " (a CA)" : "")")
                if let identity = facts.identity { Output.print("  identity   \(identity)") }
                if let domain = facts.authorityDomain { Output.print("  identity   spiffe://\(domain)") }
                if !facts.alternativeNames.isEmpty {
                    Output.print("  dns        \(facts.alternativeNames.joined(separator: " "))")
                }
                Output.print("  issuer     \(facts.issuer)")
                let end = facts.notAfter < now ? "; it has ended" : ""
                Output.print("  valid      \(time(facts.notBefore)) to \(time(facts.notAfter))\(end)")
                Output.print("  key        \(facts.keyType.text)")
            }
        }
    }

    /// The file itself; of a folder its certificates, or those of the folders in it, as `rotate` finds them.
    private static func certificateFiles(_ path: String) throws(CertFailure) -> [String] {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return [path] }
        let folders = [path] + entries(path).map { "\(path)/\($0)" }
        let found = folders.flatMap { folder in
            // A workload's ca.crt is a copy of its CA's, whose own folder shows it.
            [certificate, exists("\(folder)/\(certificate)") ? nil : authorityCertificate].compactMap { $0 }
                .map { "\(folder)/\($0)" }.filter(exists)
        }
        guard !found.isEmpty else {
            throw .failed("\(path): there is no \(certificate) and no \(authorityCertificate) in it or in its folders")
        }
        return found
    }

    /// Each certificate of a file as a text of its own.
    static func blocks(_ text: String, _ path: String) throws(CertFailure) -> [String] {
        var blocks: [String] = []
        var block: [Substring]?
        for line in text.split(separator: "\n") {
            if line.hasPrefix("-----BEGIN CERTIFICATE-----") { block = [] }
            block?.append(line)
            if line.hasPrefix("-----END CERTIFICATE-----"), let whole = block {
                blocks.append(whole.joined(separator: "\n") + "\n")
                block = nil
            }
        }
        guard !blocks.isEmpty else { throw .failed("\(path): there is no PEM certificate in it") }
        return blocks
    }

    // MARK: files

    private static func needed(_ value: String?, _ what: String) throws(CertFailure) -> String {
        guard let value else { throw .usage(UsageError("needs \(what)")) }
        return value
    }

    private static func made(
        _ body: () throws(CertificateMaker.Failure) -> CertificateMaker.Pair
    ) throws(CertFailure) -> CertificateMaker.Pair {
        do { return try body() } catch { throw .failed(error.description) }
    }

    static func facts(_ text: String, _ path: String) throws(CertFailure) -> Certificate {
        let result: Result<Certificate, CertificateError> = text.withView { view in
            Result { () throws(CertificateError) in try Certificate(chain: view, key: nil) }
        }
        switch result {
        case .success(let facts): return facts
        case .failure(let error): throw .failed("\(path): \(error.text)")
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func entries(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// With the folders above it.
    private static func makeFolder(_ path: String) throws(CertFailure) {
        var at = path.startIndex
        while at < path.endIndex {
            let slash = path[path.index(after: at)...].firstIndex(of: "/") ?? path.endIndex
            if mkdir(String(path[..<slash]), 0o755) != 0, errno != EEXIST {
                throw .failed("\(path[..<slash]): \(Errno(errno))")
            }
            at = slash
        }
    }

    static func read(_ path: String) throws(CertFailure) -> String {
        do throws(Errno) {
            guard let octets = try DurableFile.read(path, limit: sizeLimit) else {
                throw Errno(ENOENT)
            }
            return String(decoding: octets, as: UTF8.self)
        } catch { throw .failed("\(path): \(error)") }
    }

    /// A file that is there keeps its owner, group and permissions: whoever could read it can read the new one.
    /// - Parameter mode: of one that is not.
    static func replace(_ text: String, at path: String, mode: mode_t) throws(CertFailure) {
        let ownership = try ownership(of: path)
        let result: Result<Void, Errno> = text.withView { view in
            Result { () throws(Errno) in try DurableFile.write(view, to: path, mode: mode, ownership: ownership) }
        }
        if case .failure(let error) = result { throw .failed("\(path): \(error)") }
    }

    private static func ownership(of path: String) throws(CertFailure) -> DurableFile.Ownership? {
        do { return try DurableFile.Ownership(of: path) } catch { throw .failed("\(path): \(error)") }
    }

    /// Before anything is written, since a new key beside an old certificate is no pair.
    static func needMayReplace(_ paths: [String]) throws(CertFailure) {
        guard geteuid() != 0 else { return }
        for path in paths {
            guard let there = try ownership(of: path), there.user != geteuid() else { continue }
            throw .failed(
                "\(path): user \(there.user) owns it, and only root could leave it to them; run this as root or as that user"
            )
        }
    }

    /// A file that must not be there yet.
    private static func create(_ text: String, at path: String, mode: mode_t) throws(CertFailure) {
        let raw = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard raw >= 0 else { throw .failed("\(path): \(Errno(errno))") }
        let fd = OwnedFD(adopting: raw)
        let octets = Array(text.utf8)
        guard write(fd.raw, octets, octets.count) == octets.count, fsync(fd.raw) == 0 else {
            throw .failed("\(path): \(Errno(errno))")
        }
    }

    /// In UTC, as RFC 3339 writes it.
    static func time(_ seconds: Int64) -> String {
        var at = time_t(seconds)
        var parts = tm()
        gmtime_r(&at, &parts)
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}

extension Certificate.KeyType {
    fileprivate var text: String {
        switch self {
        case .rsa(let bits): "RSA, \(bits) bits"
        case .ecdsa(let bits): "ECDSA, \(bits) bits"
        case .other: "of another kind"
        }
    }
}
