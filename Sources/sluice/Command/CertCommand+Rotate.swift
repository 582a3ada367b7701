import Core
import Glibc
import IO
import TLS

/// Renewing what `sluice cert` has made.
extension CertCommand {
    static func rotate(_ arguments: CertArguments) throws(CertFailure) {
        guard !arguments.operands.isEmpty else { throw .usage(UsageError("which? write the folders: rotate DIR…")) }
        while true {
            var failures: [String] = []
            var shortest = Int64.max
            for folder in arguments.operands {
                shortest = min(shortest, try rotate(folder, arguments, &failures))
            }
            guard arguments.watches else {
                if !failures.isEmpty { throw .failed(failures.joined(separator: "\n")) }
                return
            }
            for failure in failures { Output.error("sluice cert rotate: \(failure)") }
            sleep(UInt32(clamping: min(Int64(pause), max(1, shortest / looksPerLife))))
        }
    }

    /// What goes wrong with one folder keeps no other from being renewed.
    /// - Returns: seconds of the shortest life of a certificate there.
    private static func rotate(
        _ root: String, _ arguments: CertArguments, _ failures: inout [String]
    ) throws(CertFailure) -> Int64 {
        var shortest = Int64.max
        func attempt<T>(_ body: () throws(CertFailure) -> T) throws(CertFailure) -> T? {
            do throws(CertFailure) {
                return try body()
            } catch {
                guard case .failed(let text) = error else { throw error }
                failures.append(text)
                return nil
            }
        }
        let found = try attempt { () throws(CertFailure) in try foldersToRotate(root, arguments) }
        guard let (authority, folders) = found else { return shortest }
        for folder in folders {
            let life = try attempt { () throws(CertFailure) in try rotate(folder: folder, by: authority, arguments) }
            shortest = min(shortest, (life ?? nil) ?? .max)
        }
        return shortest
    }

    private static func foldersToRotate(
        _ root: String, _ arguments: CertArguments
    ) throws(CertFailure) -> (Authority, [String]) {
        let folders = ([root] + entries(root).map { "\(root)/\($0)" }).filter { exists("\($0)/\(certificate)") }
        guard !folders.isEmpty else { throw .failed("\(root): there is no \(certificate) in it or in its folders") }
        let besides = ["\(root)/ca", "\(root)/../ca"].first { exists("\($0)/\(authorityKey)") }
        guard let place = arguments.authority ?? besides else {
            throw .failed("\(root): where is the CA? Write --ca DIR, of the folder with \(authorityKey)")
        }
        return (try Authority(folder: place), folders)
    }

    /// - Returns: seconds of the certificate's life; nil: it is no workload's.
    private static func rotate(
        folder: String, by authority: Authority, _ arguments: CertArguments
    ) throws(CertFailure) -> Int64? {
        let path = "\(folder)/\(certificate)"
        let facts = try facts(try read(path), path)
        guard let id = facts.identity else {
            Output.print("\(path): no workload's certificate; left alone")
            return nil
        }
        guard id.trustDomain == authority.trustDomain else {
            throw .failed("\(path): of trust domain '\(id.trustDomain)', while the CA is '\(authority.trustDomain)''s")
        }
        let life = max(60, facts.notAfter - facts.notBefore - CertificateMaker.clockSkew)
        // It was to live longer, but its CA ends: that says nothing of how long the next one is to live.
        let wasCut = authority.ends.contains(facts.notAfter)
        let isDue = facts.notAfter - now <= arguments.before ?? life / 3
        if isDue, arguments.before == nil, facts.notAfter == authority.signingEnd {
            Output.error(
                "sluice cert rotate: warning: \(path): ends with its CA at \(time(facts.notAfter)); make a new CA")
        } else if isDue {
            let lifetime = arguments.lifetime ?? (wasCut ? max(life, workloadLifetime) : life)
            try issue(id, facts.alternativeNames, by: authority, to: folder, lifetime: lifetime)
            return lifetime
        }
        if try read("\(folder)/\(authorityCertificate)") != authority.bundle {
            try replace(authority.bundle, at: "\(folder)/\(authorityCertificate)", mode: 0o644)
            Output.print("\(folder)/\(authorityCertificate): as the CA's is now")
        }
        return life
    }

    // MARK: the authority

    /// What signs: the folder of `cert ca`, with the certificates that are believed.
    struct Authority {
        let bundle: String
        let key: String
        let trustDomain: String
        /// When its certificates end, in seconds since 1970.
        let ends: [Int64]
        /// When the one ends that signs.
        let signingEnd: Int64

        init(folder: String) throws(CertFailure) {
            guard CertCommand.exists("\(folder)/\(authorityCertificate)") else {
                throw .failed(
                    "\(folder)/\(authorityCertificate): there is no such file; 'sluice cert ca --out \(folder)' makes one"
                )
            }
            bundle = try CertCommand.read("\(folder)/\(authorityCertificate)")
            key = try CertCommand.read("\(folder)/\(authorityKey)")
            let path = "\(folder)/\(authorityCertificate)"
            let all = try CertCommand.blocks(bundle, path).map { block throws(CertFailure) in
                (block, try CertCommand.facts(block, path))
            }
            let names = all.map(\.1.trustDomain)
            ends = all.map(\.1.notAfter)
            let key = key
            signingEnd = all.first { CertCommand.isPair($0.0, key) }?.1.notAfter ?? 0
            guard let first = names.first, let trustDomain = first, names.allSatisfy({ $0 == trustDomain }) else {
                throw .failed("\(path): its certificates are not those of one trust domain; make it with 'cert ca'")
            }
            self.trustDomain = trustDomain
        }
    }

    private static func isPair(_ certificate: String, _ key: String) -> Bool {
        certificate.withView { certificate in
            key.withView { key in (try? Certificate(chain: certificate, key: key)) != nil }
        }
    }
}

extension Certificate {
    /// A workload's, or the one that an authority is for.
    fileprivate var trustDomain: String? { authorityDomain ?? identity?.trustDomain }
}
