import COpenSSL
import Core

/// The names that a certificate is for (RFC 5280, section 4.2.1.6).
enum SubjectNames {
    /// Calls `body` with each subject alternative name of the five kinds that rules can be written for, until it
    /// returns true; an address comes as text.
    /// - Parameter body: gets the kind, the value, and the type of an otherName in dotted decimal.
    /// - Returns: whether `body` said true.
    static func contains(
        in certificate: OpaquePointer, where body: (SubjectNameMatcher.Kind, ByteView, String) -> Bool
    ) -> Bool {
        guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return false }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<sluice_names_count(names) {
            guard let name = sluice_names_at(names, index) else { continue }
            var octets: UnsafePointer<UInt8>?
            var count: CInt = 0
            let type = sluice_general_name(name, &octets, &count)
            guard let octets, count >= 0 else { continue }
            let view = ByteView(octets, count: Int(count))
            let found =
                switch type {
                case GEN_DNS: body(.dns, view, "")
                case GEN_EMAIL: body(.email, view, "")
                case GEN_URI: body(.uri, view, "")
                case GEN_IPADD: addressText(view).map { $0.withView { body(.ipAddress, $0, "") } } ?? false
                case GEN_OTHERNAME: body(.otherName, view, otherNameKind(name))
                default: false
                }
            if found { return true }
        }
        return false
    }

    /// All values of one kind, as text.
    static func all(_ kind: SubjectNameMatcher.Kind, of certificate: OpaquePointer) -> [String] {
        var result: [String] = []
        _ = contains(in: certificate) { found, value, _ in
            if found == kind { result.append(value.string) }
            return false
        }
        return result
    }

    /// The DNS names, lower case; the subject's common name when there are none (RFC 6125, section 6.4.4).
    static func hostnames(of certificate: OpaquePointer) -> [String] {
        let names = all(.dns, of: certificate).map { $0.lowercased() }
        if !names.isEmpty { return names }
        guard let subject = X509_get_subject_name(certificate) else { return [] }
        let position = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard position >= 0, let entry = X509_NAME_get_entry(subject, position),
            let data = X509_NAME_ENTRY_get_data(entry)
        else { return [] }
        let view = ByteView(ASN1_STRING_get0_data(data), count: Int(max(0, ASN1_STRING_length(data))))
        return [view.string.lowercased()]
    }

    /// A distinguished name as RFC 2253 writes it.
    static func text(_ name: OpaquePointer?) -> String {
        guard let name, let memory = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(memory) }
        sluice_print_name(memory, name)
        return text(of: memory)
    }

    static func text(of memory: OpaquePointer) -> String {
        var octets: UnsafeMutablePointer<CChar>?
        let count = sluice_memory_octets(memory, &octets)
        guard let octets, count > 0 else { return "" }
        return octets.withMemoryRebound(to: UInt8.self, capacity: count) { ByteView($0, count: count).string }
    }

    private static func addressText(_ octets: ByteView) -> String? {
        switch octets.count {
        case 4: return octets.array.map(String.init).joined(separator: ".")
        case 16:
            // Big-endian on the wire (RFC 5280, section 4.2.1.6).
            return IPAddress(high: octets.word(at: 0).byteSwapped, low: octets.word(at: 8).byteSwapped).description
        default: return nil
        }
    }

    private static func otherNameKind(_ name: UnsafePointer<GENERAL_NAME>) -> String {
        var room = [CChar](repeating: 0, count: 128)
        let count = Int(sluice_other_name_kind(name, &room, CInt(room.count)))
        guard 1..<room.count ~= count else { return "" }
        return String(decoding: room[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
