import Core
import Glibc
import IO
import TLS

extension Command {
    static let cert = Command(
        name: "cert", synopsis: "cert ca|workload|rotate|show …",
        summary: "Makes a CA and workload certificates with SPIFFE ids, renews them, and shows what a file holds.",
        options: """
            sluice cert ca --out DIR [--trust-domain TD] [--lifetime D]
              makes ca.crt and ca.key in DIR; never over one that is there
            sluice cert workload --namespace NS --service-account SA [--dns NAME]… --ca DIR --out DIR [--lifetime D]
              makes tls.crt and tls.key (spiffe://TD/ns/NS/sa/SA) and copies the CA's ca.crt beside them; never
              over a pair that is there, but with --replace
            sluice cert rotate DIR… [--ca DIR] [--before D] [--lifetime D] [--watch]
              renews what ends within D in each DIR and in the folders in it, and brings their ca.crt up to date
            sluice cert show FILE|DIR…
              tells whose certificates these are, by whom, and until when; of a DIR those in it and in the folders in it

              --trust-domain TD       default cluster.local; of a workload it is the CA's
              --lifetime D            of a CA 87600h, of a workload 720h; at most until the CA's own end
              --ca DIR                where ca.crt and ca.key are; of rotate by default DIR/ca, or ca beside DIR
              --before D              default: a third of the certificate's life
              --replace               a workload's pair that is there is written over, whoever it is of
              --watch                 goes on, with a look every ten minutes, or six in the shortest certificate's life

            Keys are ECDSA P-256, in files that only their owner reads. A file is replaced by rename, so that a running
            gateway, which notices within ten seconds, never reads half of one; connections that are open go on. What is
            replaced keeps its owner, group and permissions, so root may renew what a gateway's user reads.
            Exit status: 0 done; 1 something could not be made or read; 2 the command line is wrong.
            """
    ) { arguments throws(UsageError) in
        guard let what = arguments.first else {
            throw UsageError("what? write ca, workload, rotate or show after it; 'sluice help cert' explains them")
        }
        let rest = Array(arguments.dropFirst())
        do throws(CertFailure) {
            switch what {
            case "ca": try CertCommand.makeAuthority(CertArguments(rest, for: .ca))
            case "workload": try CertCommand.makeWorkload(CertArguments(rest, for: .workload))
            case "rotate": try CertCommand.rotate(CertArguments(rest, for: .rotate))
            case "show": try CertCommand.show(CertArguments(rest, for: .show))
            default: throw .usage(UsageError("there is no '\(what)'; there are ca, workload, rotate and show"))
            }
            return 0
        } catch {
            switch error {
            case .usage(let error): throw error
            case .failed(let text):
                Output.error("sluice cert \(what): \(text)")
                return 1
            }
        }
    }
}

/// Why nothing was made: the words were wrong (exit status 2), or something else was (1).
enum CertFailure: Error {
    case usage(UsageError)
    case failed(String)
}

/// What follows `sluice cert WHAT`.
struct CertArguments {
    enum Verb { case ca, workload, rotate, show }

    static let defaultTrustDomain = "cluster.local"
    var out: String?
    var trustDomain = defaultTrustDomain
    var namespace: String?
    var serviceAccount: String?
    var dnsNames: [String] = []
    var authority: String?
    /// Nil: the default.
    var lifetime: Int64?
    var before: Int64?
    var watches = false
    var replaces = false
    var operands: [String] = []

    init(_ arguments: [String], for verb: Verb) throws(CertFailure) {
        do throws(UsageError) {
            try read(arguments, verb)
        } catch { throw .usage(error) }
    }

    private mutating func read(_ arguments: [String], _ verb: Verb) throws(UsageError) {
        let known =
            switch verb {
            case .ca: ["--out", "--trust-domain", "--lifetime"]
            case .workload: ["--namespace", "--service-account", "--dns", "--ca", "--out", "--lifetime", "--replace"]
            case .rotate: ["--ca", "--before", "--lifetime", "--watch"]
            case .show: [String]()
            }
        var reader = ArgumentReader(arguments)
        while let argument = try reader.next() {
            guard case .option(let option) = argument else {
                guard case .operand(let word) = argument else { continue }
                guard verb == .rotate || verb == .show else { throw UsageError("takes no '\(word)'; only options") }
                operands.append(word)
                continue
            }
            guard known.contains(option) else {
                if known.isEmpty { throw UsageError("show takes files, and no option such as \(option)") }
                throw reader.unknown(option, among: known)
            }
            switch option {
            case "--out": out = try reader.value("DIR")
            case "--ca": authority = try reader.value("DIR")
            case "--trust-domain":
                trustDomain = try reader.value("TD")
                guard trustDomain.withView({ SPIFFEID.isTrustDomain($0) }) else {
                    throw UsageError(
                        "--trust-domain '\(trustDomain)': write lower-case letters, digits, dots, dashes and underscores"
                    )
                }
            case "--namespace": namespace = try Self.label(&reader, option, "NS")
            case "--service-account": serviceAccount = try Self.label(&reader, option, "SA")
            case "--dns":
                let name = try reader.value("NAME").lowercased()
                guard Self.isName(name) else {
                    throw UsageError("--dns '\(name)': write a DNS name such as shop.prod.svc.cluster.local")
                }
                dnsNames.append(name)
            case "--lifetime": lifetime = try Self.seconds(&reader, option)
            case "--before": before = try Self.seconds(&reader, option)
            case "--replace": replaces = true
            default: watches = true
            }
        }
    }

    private static func seconds(_ reader: inout ArgumentReader, _ option: String) throws(UsageError) -> Int64 {
        let amount = try reader.duration("D")
        let seconds = amount.nanoseconds / 1_000_000_000
        guard seconds >= 60 else { throw UsageError("\(option): write a minute at least, such as 24h or 720h") }
        return seconds
    }

    /// A name as Kubernetes has them (RFC 1123), which is one segment of a SPIFFE id too.
    private static func label(
        _ reader: inout ArgumentReader, _ option: String, _ placeholder: String
    ) throws(UsageError) -> String {
        let text = try reader.value(placeholder)
        guard text.utf8.count <= 253, isName(text), !text.hasPrefix("*") else {
            throw UsageError("\(option) '\(text)': write a name of lower-case letters, digits and dashes")
        }
        return text
    }

    /// Labels with dots between them; the leftmost may be a wildcard.
    private static func isName(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 253 else { return false }
        return labels.enumerated().allSatisfy { place, label in
            if label == "*", place == 0, labels.count > 1 { return true }
            return 1...63 ~= label.utf8.count && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { 0x61...0x7A ~= $0 || ASCII.isDigit($0) || $0 == 0x2D }
        }
    }
}
