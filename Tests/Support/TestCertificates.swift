import Glibc
import Synchronization

/// Certificates for tests, made by the `openssl` command when first asked for and kept for the life of the process.
/// Nothing stays on disk.
public enum TestCertificates {
    public enum Kind: String, Sendable {
        /// P-256.
        case ecdsa
        /// 2048 bits; every RSA certificate of the process has one and the same key, since making one takes long.
        case rsa
    }

    /// A certificate with its key, both PEM.
    public struct Pair: Sendable {
        /// The leaf, and behind it the intermediate authorities up to the root, which is not in it.
        public var chain: String
        public var key: String
        /// The leaf alone.
        public var leaf: String
        public var serial: String
        public var subject: String
    }

    /// What could not be made, with what `openssl` said.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// An authority of its own key; the same one for the same name.
    public static func authority(name: String = "Sluice test CA") throws -> Authority {
        try authorities.withLock { authorities in
            if let known = authorities[name] { return known }
            let made = try Authority(name: name, issuer: nil)
            authorities[name] = made
            return made
        }
    }

    /// A certificate by the default authority. See ``Authority/issue(names:kind:expired:subject:)``.
    public static func issue(
        names: [String], kind: Kind = .ecdsa, expired: Bool = false, subject: String? = nil
    ) throws -> Pair {
        try authority().issue(names: names, kind: kind, expired: expired, subject: subject)
    }

    /// Signs certificates and says which of them are revoked.
    public final class Authority: Sendable {
        public let name: String
        /// PEM.
        public let certificate: String
        public let key: String
        /// Authorities between this one and its root, itself first; empty for a root.
        let intermediates: String
        private let issued = Mutex<[String: Pair]>([:])

        fileprivate init(name: String, issuer: Authority?) throws {
            self.name = name
            key = try makeKey(.ecdsa)
            let folder = try TemporaryFolder()
            try folder.write("key", key)
            let subject = "/CN=\(name)"
            let extensions = """
                basicConstraints=critical,CA:TRUE
                keyUsage=critical,keyCertSign,cRLSign,digitalSignature
                subjectKeyIdentifier=hash
                """
            if let issuer {
                certificate = try sign(
                    folder, subject: subject, extensions: extensions, serial: nextSerial(), expired: false,
                    issuer: (issuer.certificate, issuer.key))
                intermediates = certificate + issuer.intermediates
            } else {
                certificate = try sign(
                    folder, subject: subject, extensions: extensions, serial: nextSerial(), expired: false, issuer: nil)
                intermediates = ""
            }
        }

        /// An authority below this one.
        public func intermediate(name: String) throws -> Authority { try Authority(name: name, issuer: self) }

        /// A certificate for servers and for clients; the same one for the same arguments.
        /// - Parameters:
        ///   - names: DNS names, or `URI:…`, `IP:…`, `email:…`, `otherName:OID;UTF8:…` for the other kinds.
        ///   - expired: valid in 2010 only.
        ///   - subject: as `/O=Shop/CN=one`; `/CN=` and the first name when nil.
        public func issue(
            names: [String], kind: Kind = .ecdsa, expired: Bool = false, subject: String? = nil
        ) throws -> Pair {
            let subject = subject ?? "/CN=" + (names.first ?? "nobody")
            let label = "\(names) \(kind) \(expired) \(subject)"
            return try issued.withLock { issued in
                if let known = issued[label] { return known }
                let folder = try TemporaryFolder()
                let key = try makeKey(kind)
                try folder.write("key", key)
                let kinds = ["URI:", "IP:", "email:", "otherName:", "DNS:"]
                let entries = names.map { name in
                    kinds.contains { name.hasPrefix($0) } ? name : "DNS:" + name
                }
                var extensions = """
                    basicConstraints=critical,CA:FALSE
                    keyUsage=critical,digitalSignature,keyEncipherment
                    extendedKeyUsage=serverAuth,clientAuth
                    """
                if !entries.isEmpty { extensions += "\nsubjectAltName=" + entries.joined(separator: ",") }
                let serial = nextSerial()
                let leaf = try sign(
                    folder, subject: subject, extensions: extensions, serial: serial, expired: expired,
                    issuer: (certificate, self.key))
                let pair = Pair(
                    chain: leaf + intermediates, key: key, leaf: leaf, serial: serial, subject: subject)
                issued[label] = pair
                return pair
            }
        }

        /// A list of revoked certificates, PEM.
        public func revocationList(of pairs: [Pair] = []) throws -> String {
            let folder = try signingFolder(revoked: pairs)
            try run(
                folder, ["ca", "-config", "config", "-gencrl", "-crldays", "3650", "-batch", "-out", "crl"])
            return folder.read("crl")
        }

        /// A response about `pair`, DER, signed by the authority itself.
        /// - Parameter days: until nextUpdate.
        public func ocspResponse(for pair: Pair, revoked: Bool = false, days: Int = 7) throws -> [UInt8] {
            let folder = try signingFolder(revoked: revoked ? [pair] : [], good: revoked ? [] : [pair])
            try folder.write("leaf", pair.leaf)
            try run(
                folder,
                [
                    "ocsp", "-index", "index", "-CA", "ca", "-rsigner", "ca", "-rkey", "cakey", "-issuer", "ca",
                    "-cert", "leaf", "-ndays", "\(days)", "-respout", "response", "-noverify",
                ])
            return octets(folder.path + "/response")
        }

        private func signingFolder(revoked: [Pair], good: [Pair] = []) throws -> TemporaryFolder {
            let folder = try TemporaryFolder()
            try folder.write("ca", certificate)
            try folder.write("cakey", key)
            // The format of `openssl ca`'s database: state, expiry, revocation, serial, file, subject.
            let lines =
                revoked.map { "R\t401231000000Z\t200101000000Z\t\($0.serial)\tunknown\t\($0.subject)\n" }
                + good.map { "V\t401231000000Z\t\t\($0.serial)\tunknown\t\($0.subject)\n" }
            try folder.write("index", lines.joined())
            try folder.write("config", TestCertificates.configuration(extensions: ""))
            return folder
        }
    }

    // MARK: the openssl command

    private static let authorities = Mutex<[String: Authority]>([:])
    private static let rsaKey = Mutex<String?>(nil)
    private static let serial = Mutex(0x10_0000)

    fileprivate static func nextSerial() -> String {
        serial.withLock { serial in
            serial += 1
            return String(serial, radix: 16, uppercase: true)
        }
    }

    fileprivate static func makeKey(_ kind: Kind) throws -> String {
        switch kind {
        case .ecdsa: return try newKey(["EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        case .rsa:
            return try rsaKey.withLock { known in
                if let known { return known }
                let made = try newKey(["RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
                known = made
                return made
            }
        }
    }

    private static func newKey(_ algorithm: [String]) throws -> String {
        let folder = try TemporaryFolder()
        try run(folder, ["genpkey", "-out", "key", "-algorithm"] + algorithm)
        return folder.read("key")
    }

    /// Signs the public half of the folder's `key`; by itself without an issuer.
    fileprivate static func sign(
        _ folder: TemporaryFolder, subject: String, extensions: String, serial: String, expired: Bool,
        issuer: (certificate: String, key: String)?
    ) throws -> String {
        try folder.write("config", configuration(extensions: extensions))
        try folder.write("index", "")
        try folder.write("serial", serial + "\n")
        try run(folder, ["req", "-new", "-config", "config", "-key", "key", "-subj", subject, "-out", "request"])
        var arguments = [
            "ca", "-config", "config", "-batch", "-notext", "-in", "request", "-out", "certificate", "-extensions",
            "wanted", "-startdate", "20100101000000Z", "-enddate", expired ? "20110101000000Z" : "20491231000000Z",
        ]
        if let issuer {
            try folder.write("ca", issuer.certificate)
            try folder.write("cakey", issuer.key)
        } else {
            try folder.write("cakey", folder.read("key"))
            arguments.append("-selfsign")
        }
        try run(folder, arguments)
        return folder.read("certificate")
    }

    fileprivate static func configuration(extensions: String) -> String {
        """
        [req]
        distinguished_name=name
        prompt=no
        string_mask=utf8only
        [name]
        CN=unused
        [ca]
        default_ca=authority
        [authority]
        database=index
        serial=serial
        new_certs_dir=.
        certificate=ca
        private_key=cakey
        default_md=sha256
        unique_subject=no
        policy=any
        [any]
        countryName=optional
        organizationName=optional
        organizationalUnitName=optional
        commonName=optional
        [wanted]
        \(extensions)

        """
    }

    fileprivate static func run(_ folder: TemporaryFolder, _ arguments: [String]) throws {
        // The command takes file names relative to where it runs; the shell goes there.
        let program = try Program(
            "/bin/sh", ["-c", "cd \"$0\" && exec openssl \"$@\"", folder.path] + arguments,
            output: folder.path + "/output")
        let death = try program.waitForEnd()
        guard case .exited(code: 0) = death else {
            throw Failure(description: "openssl \(arguments.joined(separator: " ")): \(program.output)")
        }
    }

    private static func octets(_ path: String) -> [UInt8] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var result = [UInt8](repeating: 0, count: 65536)
        let count = fread(&result, 1, result.count, file)
        return Array(result[..<count])
    }
}
