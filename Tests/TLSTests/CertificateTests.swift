import Core
import Testing

@testable import TLS

@Suite struct Certificates {
    static func read(_ chain: String, key: String?) throws(CertificateError) -> Certificate {
        let result: Result<Certificate, CertificateError> = chain.withView { chain in
            guard let key else {
                return Result { () throws(CertificateError) in try Certificate(chain: chain, key: nil) }
            }
            return key.withView { key in
                Result { () throws(CertificateError) in try Certificate(chain: chain, key: key) }
            }
        }
        return try result.get()
    }

    @Test func namesAndDatesAreRead() throws {
        let certificate = try Self.read(FixedCertificates.shop, key: FixedCertificates.shopKey)
        #expect(certificate.names == ["shop.example.com", "*.api.example.com"])
        #expect(certificate.notBefore == 1_262_304_000)
        #expect(certificate.notAfter == 4_733_510_400)
        #expect(certificate.chainLength == 1)
        #expect(!certificate.isExpired(atSecond: 1_795_269_600))
        #expect(certificate.isExpired(atSecond: 4_733_510_401))
    }

    @Test func theCommonNameStandsInForMissingNames() throws {
        #expect(try Self.read(FixedCertificates.other, key: nil).names == ["other.example.com"])
    }

    @Test func theWholeChainCounts() throws {
        let chain = FixedCertificates.shop + "\n" + FixedCertificates.other + "\n"
        #expect(try Self.read(chain, key: FixedCertificates.shopKey).chainLength == 2)
    }

    @Test(arguments: [
        ("", FixedCertificates.shopKey, CertificateError.noCertificate),
        ("not PEM", FixedCertificates.shopKey, .noCertificate),
        (FixedCertificates.shopKey, FixedCertificates.shopKey, .noCertificate),
        (cut(FixedCertificates.shop), FixedCertificates.shopKey, .malformedCertificate(0)),
        (
            FixedCertificates.shop + "\n" + cut(FixedCertificates.other), FixedCertificates.shopKey,
            .malformedCertificate(1)
        ),
        (FixedCertificates.shop, "", .noKey),
        (FixedCertificates.shop, FixedCertificates.shop, .noKey),
        (FixedCertificates.shop, cut(FixedCertificates.shopKey), .malformedKey),
        (FixedCertificates.shop, FixedCertificates.shopKeyWithPassphrase, .malformedKey),
        (FixedCertificates.shop, FixedCertificates.otherKey, .keyDoesNotMatch),
    ]) func whatIsWrongIsTold(_ chain: String, _ key: String, _ error: CertificateError) {
        #expect(throws: error) { try Self.read(chain, key: key) }
    }

    /// A PEM block whose last octets were lost.
    static func cut(_ pem: String) -> String {
        let lines = pem.split(separator: "\n")
        return (lines.dropLast(2) + lines.suffix(1)).joined(separator: "\n")
    }
}
