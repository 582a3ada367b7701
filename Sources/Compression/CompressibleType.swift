import Core

/// Which media types are worth compressing: texts, and what is text beneath. The list is Envoy's default; images, sound,
/// archives are compressed already.
public enum CompressibleType {
    /// - Parameter contentType: the field's value; its parameters do not count (RFC 9110, section 8.3.1). Nothing said may
    ///   be anything, and is compressed.
    public static func contains(_ contentType: ByteView) -> Bool {
        let end = contentType.firstIndex(of: ASCII.semicolon) ?? contentType.count
        let type = contentType.upTo(end).trimmed
        if type.isEmpty { return true }
        guard let slash = type.firstIndex(of: ASCII.slash) else { return false }
        let subtype = type.from(slash + 1)
        if type.upTo(slash).equalsIgnoringCase("text") { return isText(subtype) }
        if type.upTo(slash).equalsIgnoringCase("application") { return isApplication(subtype) }
        return type.equalsIgnoringCase("image/svg+xml")
    }

    private static func isText(_ subtype: ByteView) -> Bool {
        subtype.equalsIgnoringCase("html") || subtype.equalsIgnoringCase("plain") || subtype.equalsIgnoringCase("css")
            || subtype.equalsIgnoringCase("xml") || subtype.equalsIgnoringCase("javascript")
            || subtype.equalsIgnoringCase("x-javascript") || subtype.equalsIgnoringCase("ecmascript")
            || subtype.equalsIgnoringCase("js") || subtype.equalsIgnoringCase("jscript")
            || subtype.equalsIgnoringCase("x-js")
    }

    private static func isApplication(_ subtype: ByteView) -> Bool {
        subtype.equalsIgnoringCase("json") || subtype.equalsIgnoringCase("javascript")
            || subtype.equalsIgnoringCase("x-javascript") || subtype.equalsIgnoringCase("ecmascript")
            || subtype.equalsIgnoringCase("x-json") || subtype.equalsIgnoringCase("xml")
            || subtype.equalsIgnoringCase("xhtml+xml")
    }
}
