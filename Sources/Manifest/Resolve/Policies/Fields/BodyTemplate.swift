import Config
import Core

/// The command operators in a body that a manifest writes: `%NAME%`, `%NAME(ARGUMENT)%`, `%NAME(ARGUMENT):LENGTH%`, as in
/// Envoy's access logs; `%%` is a percent sign. A percent sign that begins nothing of that kind stands for itself, so that
/// texts and style sheets need no care.
enum BodyTemplate {
    struct Problem: Error, Equatable { var message: String }

    static func parse(_ text: String) -> Result<[CustomResponsePlan.BodyPart], Problem> {
        var parts: [CustomResponsePlan.BodyPart] = []
        var literal: [UInt8] = []
        let octets = Array(text.utf8)
        var at = 0
        while at < octets.count {
            guard octets[at] == ASCII.percent else {
                literal.append(octets[at])
                at += 1
                continue
            }
            if at + 1 < octets.count, octets[at + 1] == ASCII.percent {
                literal.append(ASCII.percent)
                at += 2
                continue
            }
            guard let written = Written(octets, at) else {
                literal.append(ASCII.percent)
                at += 1
                continue
            }
            guard let value = written.value else {
                return .failure(
                    Problem(
                        message:
                            "the command operator '%\(written.name)%' is not supported by Sluice; of Envoy's there "
                            + "are \(supported); write '%%' for a percent sign"))
            }
            if !literal.isEmpty { parts.append(.text(String(decoding: literal, as: UTF8.self))) }
            literal = []
            parts.append(.value(value))
            at = written.end
        }
        if !literal.isEmpty { parts.append(.text(String(decoding: literal, as: UTF8.self))) }
        return .success(parts)
    }

    static let supported =
        "REQ, RESPONSE_CODE, RESPONSE_FLAGS, PROTOCOL, STREAM_ID, ROUTE_NAME, DOWNSTREAM_REMOTE_ADDRESS and "
        + "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT"

    /// One operator as it stands in the text.
    private struct Written {
        var name: String
        var argument = ""
        var length: UInt32 = 0
        /// Behind its last percent sign.
        var end: Int

        /// Nil: none begins here.
        init?(_ octets: [UInt8], _ start: Int) {
            var at = start + 1
            while at < octets.count, octets[at] == 0x5F || octets[at] &- 0x41 < 26 || ASCII.isDigit(octets[at]) {
                at += 1
            }
            guard at > start + 1, octets[start + 1] &- 0x41 < 26 else { return nil }
            name = String(decoding: octets[(start + 1)..<at], as: UTF8.self)
            if at < octets.count, octets[at] == UInt8(ascii: "(") {
                guard let close = octets[at...].firstIndex(of: UInt8(ascii: ")")) else { return nil }
                argument = String(decoding: octets[(at + 1)..<close], as: UTF8.self)
                at = close + 1
            }
            if at < octets.count, octets[at] == ASCII.colon {
                let digits = octets[(at + 1)...].prefix { ASCII.isDigit($0) }
                guard let length = UInt32(String(decoding: digits, as: UTF8.self)) else { return nil }
                self.length = length
                at = digits.endIndex
            }
            guard at < octets.count, octets[at] == ASCII.percent else { return nil }
            end = at + 1
        }

        var value: CommandOperator? {
            switch name {
            case "REQ": requestField
            case "RESPONSE_CODE": CommandOperator(.responseCode)
            case "RESPONSE_FLAGS": CommandOperator(.responseFlags)
            case "PROTOCOL": CommandOperator(.protocol)
            case "STREAM_ID": CommandOperator(.requestID)
            case "ROUTE_NAME": CommandOperator(.routeName)
            case "DOWNSTREAM_REMOTE_ADDRESS": CommandOperator(.clientAddressAndPort)
            case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": CommandOperator(.clientAddress)
            default: nil
            }
        }

        private var requestField: CommandOperator? {
            let names = argument.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = names.first, !first.isEmpty else { return nil }
            switch first.uppercased() {
            case ":METHOD": return CommandOperator(.method, length: length)
            case ":AUTHORITY": return CommandOperator(.host, length: length)
            case ":PATH": return CommandOperator(.path, length: length)
            default: break
            }
            if first.hasPrefix(":") { return nil }
            return CommandOperator(
                .requestField, name: first.lowercased(), alternative: names.count > 1 ? names[1].lowercased() : "",
                length: length)
        }
    }
}
