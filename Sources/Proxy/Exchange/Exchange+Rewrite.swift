import Config
import Connection
import Core
import HTTP
import Routing

/// What URLRewrite and HTTPRouteFilter `urlRewrite` make of the target and the host.
extension Exchange {
    /// A rewrite of the backendRef goes before the rule's.
    var rewrite: UnsafePointer<RewriteConfig>? {
        guard let rule, let backend, !isHandedOn else { return nil }
        if !backend.pointee.filters.rewrite.isEmpty { return snapshot[backend.pointee.filters.rewrite, 0] }
        if !rule.pointee.filters.rewrite.isEmpty { return snapshot[rule.pointee.filters.rewrite, 0] }
        return nil
    }

    /// Puts the path that an expression makes into ``rewrittenTarget``, normalised again, so that no rewrite leads a backend
    /// outside of what it means. Nil: the request goes on; else why not.
    ///
    /// A path that the expression does not match goes on as it is. So does one that would take too long.
    func rewriteByExpression(_ message: RequestMessage, _ bytes: ByteView) -> PathRefusal? {
        guard let rewrite, rewrite.pointee.path.kind == .replaceRegexMatch, let configuration,
            message.head.targetForm != .asterisk
        else { return nil }
        var made = ByteBuffer()
        swap(&made, &answerText)
        made.clear()
        defer { swap(&made, &answerText) }
        let outcome = RegexSubstitution.replaceAll(
            configuration.routes.search(rewrite.pointee.path.pattern), in: path(message, bytes),
            by: snapshot.text(rewrite.pointee.path.value), to: &made)
        guard case .replaced = outcome else { return nil }
        // The substitution may begin a query; captures cannot.
        let question = made.view.firstIndex(of: ASCII.question)
        let newPath = made.view.upTo(question ?? made.count)
        switch PathNormalizer.normalise(path: newPath, into: &rewrittenTarget, escapedSlashes: .keepUnchanged) {
        case .unchanged: rewrittenTarget.append(newPath)
        case .rewritten, .redirect: break
        case .refused(let refusal): return refusal
        }
        let query = query(message, bytes)
        if let question {
            rewrittenTarget.append(made.view.from(question))
            if query != nil { rewrittenTarget.append(byte: UInt8(ascii: "&")) }
        } else if query != nil {
            rewrittenTarget.append(byte: ASCII.question)
        }
        if let query { rewrittenTarget.append(query) }
        return nil
    }

    /// Appends the value of Host: the client's, unless a filter says another. What cannot be a host changes nothing.
    func writeHostValue(_ message: RequestMessage, _ bytes: ByteView, to out: inout ByteBuffer) {
        guard let rewrite, rewrite.pointee.changesHost else {
            if isHandedOn, writeMember(unless: message, bytes, to: &out) { return }
            return out.append(message.head.authority.of(bytes))
        }
        let start = out.count
        switch rewrite.pointee.hostSource {
        case .hostname: return out.append(snapshot.text(rewrite.pointee.hostname))
        case .header:
            let name = snapshot.text(rewrite.pointee.hostname)
            if let line = message.head.fields.firstIndex(named: name, in: bytes) {
                out.append(message.head.fields[line].value(in: bytes))
            }
        case .backend: if let endpoint { out.append(endpoint.hostname.view) }
        case .pathRegex:
            guard let configuration else { break }
            let outcome = RegexSubstitution.replaceAll(
                configuration.routes.search(rewrite.pointee.hostPattern), in: path(message, bytes),
                by: snapshot.text(rewrite.pointee.hostname), to: &out)
            if case .replaced = outcome { break }
            out.truncate(out.count - start)
        }
        if Authority(out.view.from(start)) != nil { return }
        out.truncate(out.count - start)
        out.append(message.head.authority.of(bytes))
    }
}
