import COpenSSL
import Core

/// A certificate as OpenSSL has it, with its key, ready to be shown.
final class LoadedCertificate {
    let leaf: OpaquePointer
    let key: OpaquePointer
    /// Certificates above the leaf, possibly none.
    let chain: OpaquePointer
    /// Lower case; a wildcard begins with `*.`.
    let names: [[UInt8]]
    /// OpenSSL's number of the key's type: a handshake picks one certificate of each.
    let keyType: CInt
    let ocspResponse: [UInt8]
    /// When the response is no longer to be believed, in seconds since 1970.
    let ocspEnd: Int64

    init(_ settings: KeyPairSettings) throws(TLSSettingsError) {
        let place = settings.name.isEmpty ? "certificate" : "certificate '\(settings.name)'"
        let certificates: [OpaquePointer]
        do { certificates = try PEMBlocks.certificates(settings.chain) } catch {
            throw TLSSettingsError("\(place): \(error.text)")
        }
        do { key = try PEMBlocks.key(settings.key) } catch {
            for certificate in certificates { X509_free(certificate) }
            throw TLSSettingsError("\(place): \(error.text)")
        }
        leaf = certificates[0]
        guard let chain = sluice_new_chain() else { fatalError("out of memory") }
        for certificate in certificates.dropFirst() { _ = sluice_push(chain, certificate) }
        self.chain = chain
        names = SubjectNames.hostnames(of: leaf).map { Array($0.utf8) }
        keyType = EVP_PKEY_get_base_id(key)
        // One that cannot be read is not shown; who wrote the settings has been told (``OCSPResponse``).
        let response = try? settings.ocspResponse.withView { try OCSPResponse(der: $0) }
        ocspResponse = response == nil ? [] : settings.ocspResponse
        ocspEnd = response?.nextUpdate ?? 0
        OpenSSLQueue.clear()
        guard X509_check_private_key(leaf, key) == 1 else {
            OpenSSLQueue.clear()
            throw TLSSettingsError("\(place): \(CertificateError.keyDoesNotMatch.text)")
        }
    }

    deinit {
        X509_free(leaf)
        EVP_PKEY_free(key)
        sluice_free_chain(chain)
    }

    /// How well it fits a name: 0 not at all, greater is better; an exact name beats every wildcard.
    /// A wildcard stands for one label, the leftmost (RFC 6125, section 6.4.3).
    func fit(_ serverName: ByteView) -> Int {
        var best = 0
        for name in names {
            let fit = name.withView { name in
                if name.equals(serverName) { return 1000 }
                guard name.count > 2, name[0] == 0x2A, name[1] == ASCII.dot,
                    let dot = serverName.firstIndex(of: ASCII.dot), dot > 0,
                    serverName.from(dot).equals(name.from(1))
                else { return 0 }
                return name.count
            }
            best = max(best, fit)
        }
        return best
    }
}
