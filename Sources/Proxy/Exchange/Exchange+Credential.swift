import Config
import Core
import HTTP

/// HTTPRouteFilter `credentialInjection`: the backend gets a credential that the client need not know.
extension Exchange {
    /// What is to be injected into this request; nil: nothing, or the client sent its own and that counts.
    func credential(_ fields: borrowing FieldTable, _ bytes: ByteView) -> UnsafePointer<CredentialInjectionConfig>? {
        guard let rule, let backend else { return nil }
        var table = backend.pointee.filters.credentialInjection
        if table.isEmpty { table = rule.pointee.filters.credentialInjection }
        if table.isEmpty { return nil }
        let config = snapshot[table, 0]
        if config.pointee.overwrite { return config }
        return fields.firstIndex(named: snapshot.text(config.pointee.header), in: bytes) == nil ? config : nil
    }

    /// Whether the client's line makes way for the credential.
    func givesWay(_ line: FieldLine, _ bytes: ByteView, to credential: UnsafePointer<CredentialInjectionConfig>) -> Bool
    {
        guard line.name == credential.pointee.fieldName else { return false }
        return line.name != .other || snapshot.text(credential.pointee.header).equalsIgnoringCase(line.name(in: bytes))
    }

    func write(_ credential: UnsafePointer<CredentialInjectionConfig>, to out: inout ByteBuffer) {
        out.append(snapshot.text(credential.pointee.header))
        out.append(": ")
        out.append(snapshot.text(credential.pointee.value))
        out.append("\r\n")
    }
}
