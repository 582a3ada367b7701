import Config
import Core
import Support
import Testing

@testable import Manifest

/// What becomes of a listener when the certificate behind it changes between two sets.
@Suite("Renewed certificates") struct RenewedCertificateTests {
    /// Files by the path that the manifest gives them.
    private typealias Files = [String: String]

    private static let now = "2026-11-21T12:00:00Z"

    private static func manifest(_ secret: String) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: front}
        spec:
          gatewayClassName: sluice
          listeners:
          - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: site}]}}
        ---
        apiVersion: v1
        kind: Secret
        \(secret)
        """
    }

    private static let filed = manifest(
        """
        metadata:
          name: site
          annotations:
            sluice.dev/cert-file: certs/site.pem
            sluice.dev/key-file: /etc/site.key
        type: kubernetes.io/tls
        """)

    private static func resolve(_ text: String, _ files: Files, after: Resolution? = nil) -> Resolution {
        let set = ManifestReader.read(files: [("routes/t.yaml", Array(text.utf8))])
        #expect(set.findings == [])
        return Resolver.resolve(
            set, previous: after?.memory ?? ResolveMemory(), now: now,
            readFile: { path in files[path].map { Array($0.utf8) } },
            fileProblem: { files[$0] == nil ? "it is gone" : nil })
    }

    private static func files(_ pair: TestCertificates.Pair) -> Files {
        ["routes/certs/site.pem": pair.chain, "/etc/site.key": pair.key]
    }

    private static func listener(_ resolution: Resolution) -> ListenerStatus? {
        for shown in resolution.shown {
            if case .gateway(let status) = shown.status { return status.listeners.first }
        }
        return nil
    }

    private static func shown(_ resolution: Resolution) -> [CertificatePlan] {
        resolution.plan.sockets.first?.listeners.first?.tls?.certificates ?? []
    }

    @Test func comeFromFilesBesideTheManifest() throws {
        let pair = try TestCertificates.issue(names: ["a.example.com"])
        let resolution = Self.resolve(Self.filed, Self.files(pair))
        #expect(Self.shown(resolution).map(\.chain) == [pair.chain])
        #expect(Self.shown(resolution).map(\.key) == [pair.key])
        #expect(resolution.followedFiles.map(\.path) == ["/etc/site.key", "routes/certs/site.pem"])
        #expect(resolution.certificates.map(\.name) == ["default/site"])
        #expect(resolution.certificates.first?.names == ["a.example.com"])
    }

    @Test func replaceWhatWasShown() throws {
        let first = try TestCertificates.issue(names: ["a.example.com"])
        let second = try TestCertificates.issue(names: ["b.example.com"])
        let before = Self.resolve(Self.filed, Self.files(first))
        let after = Self.resolve(Self.filed, Self.files(second), after: before)
        #expect(Self.shown(after).map(\.chain) == [second.chain])
        #expect(after.findings == [])
    }

    /// How a renewal may go wrong, and what is said of it.
    private enum Slip: String, CaseIterable {
        case anotherKey = "the private key is not the certificate's"
        case expired = "the certificate has expired"
        case half = "certificate number 1 cannot be read"
        case empty = "there is no PEM certificate in it"
        case gone = "'routes/certs/site.pem', which sluice.dev/cert-file names, cannot be read: it is gone"
    }

    @Test(arguments: Slip.allCases.map(\.rawValue)) func thatCannotBeUsedLeaveTheOldPairInUse(_ text: String) throws {
        let slip = try #require(Slip(rawValue: text))
        let pair = try TestCertificates.issue(names: ["a.example.com"])
        var files = Self.files(pair)
        let before = Self.resolve(Self.filed, files)
        switch slip {
        case .anotherKey: files["/etc/site.key"] = try TestCertificates.issue(names: ["b.example.com"]).key
        case .expired:
            files = Self.files(try TestCertificates.issue(names: ["a.example.com"], expired: true))
        case .half: files["routes/certs/site.pem"] = String(pair.chain.dropLast(100))
        case .empty: files["routes/certs/site.pem"] = ""
        case .gone: files["routes/certs/site.pem"] = nil
        }

        let after = Self.resolve(Self.filed, files, after: before)
        #expect(Self.shown(after).map(\.chain) == [pair.chain])
        let status = try #require(Self.listener(after))
        let refs = try #require(status.conditions.first { $0.type == .resolvedRefs })
        #expect(!refs.isTrue)
        #expect(refs.reason == .invalidCertificateRef)
        #expect(refs.message == "Secret 'default/site': \(text); the pair before it is still used")
        #expect(status.conditions.first { $0.type == .programmed }?.isTrue == true)
        #expect(after.findings.count { $0.kind == .unresolved && $0.message.contains(text) } == 1)
        #expect(after.certificates.first?.staleness == "Secret 'default/site': \(text)")

        // And on, as long as nobody mends it; the next good pair ends it.
        let later = Self.resolve(Self.filed, files, after: after)
        #expect(Self.shown(later).map(\.chain) == [pair.chain])
        let mended = Self.resolve(Self.filed, Self.files(pair), after: later)
        #expect(mended.findings == [])
    }

    @Test func areNotKeptForASecretThatIsGone() throws {
        let pair = try TestCertificates.issue(names: ["a.example.com"])
        let before = Self.resolve(Self.filed, Self.files(pair))
        let without = Self.filed.components(before: "---")
        let after = Self.resolve(without, [:], after: before)
        #expect(Self.shown(after) == [])
        #expect(Self.listener(after)?.conditions.first { $0.type == .programmed }?.isTrue == false)
    }

    @Test func atTheStartThereIsNothingToKeep() {
        let resolution = Self.resolve(Self.filed, [:])
        #expect(resolution.plan.sockets == [])
        #expect(Self.listener(resolution)?.conditions.first { $0.type == .resolvedRefs }?.isTrue == false)
    }

    /// A controller that comes back knows the pairs of the running set from its workers' snapshot.
    @Test func areRememberedFromWhatIsShown() throws {
        let pair = try TestCertificates.issue(names: ["a.example.com"])
        let before = Self.resolve(Self.filed, Self.files(pair))
        let set = ManifestReader.read(files: [("routes/t.yaml", Array(Self.filed.utf8))])
        let after = Resolver.resolve(
            set, previous: ResolveMemory(certificates: Self.shown(before)), now: Self.now, readFile: { _ in nil })
        #expect(Self.shown(after).map(\.chain) == [pair.chain])
        #expect(after.certificates.first?.names == ["a.example.com"])
    }

    @Test(arguments: [
        (Int64(0), "today"), (1, "tomorrow"), (13, "in 13 days"),
    ]) func soonToExpireAreWarnedOf(days: Int64, word: String) throws {
        let pair = try TestCertificates.issue(names: ["a.example.com"])
        let set = ManifestReader.read(files: [("routes/t.yaml", Array(Self.filed.utf8))])
        let files = Self.files(pair)
        let read = { (path: String) in files[path].map { Array($0.utf8) } }
        let expiry = try #require(
            Resolver.resolve(set, now: Self.now, readFile: read).certificates.first?.notAfter)
        let moment = Self.timestamp(expiry - days * 86_400 - 60)
        let found = Resolver.resolve(set, now: moment, readFile: read).findings
        #expect(found.map(\.message) == ["the certificate expires \(word); renew it before then"])
        #expect(found.allSatisfy { $0.kind == .warning })
        let early = Self.timestamp(expiry - 15 * 86_400)
        #expect(Resolver.resolve(set, now: early, readFile: read).findings == [])
    }

    private static func timestamp(_ second: Int64) -> String {
        let days = second / 86_400
        let rest = second % 86_400
        // Civil date from days since 1970, counting years from March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let part = (5 * dayOfYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + "\(number)" }
        return "\(year)-\(two(month))-\(two(dayOfYear - (153 * part + 2) / 5 + 1))"
            + "T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
    }
}

extension String {
    /// What stands before the first line that is `separator`.
    fileprivate func components(before separator: String) -> String {
        split(separator: "\n", omittingEmptySubsequences: false).prefix { $0 != separator }.joined(separator: "\n")
    }
}
