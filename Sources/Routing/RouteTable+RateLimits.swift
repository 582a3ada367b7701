import Config
import Core
import HTTP

/// What the selectors of rate limits look at.
public struct LimitedRequest: ~Copyable {
    public let bytes: ByteView
    /// Normalised, without query.
    public let path: ByteView
    /// Without its question mark; empty: none.
    public let query: ByteView
    /// Whose request it is, as the listener detects that.
    public let client: IPAddress
    /// Who calls, as ``callerName`` selects it; empty: unknown.
    public let caller: ByteView

    /// The name in `clientSelectors[].headers` that stands for the caller. It is no field: what a client sends under this
    /// name is not looked at.
    public static let callerName: StaticString = "x-sluice-caller"

    public init(bytes: ByteView, path: ByteView, query: ByteView, client: IPAddress, caller: ByteView = .empty) {
        self.bytes = bytes
        self.path = path
        self.query = query
        self.client = client
        self.caller = caller
    }
}

extension RouteTable {
    /// Whether a rule of a rate limit holds for a request: all of its selectors do (BackendTrafficPolicy
    /// `clientSelectors`). Allocates nothing once `values` is warm.
    /// - Parameter values: gets the values that tell the rule's buckets apart, each with its length before it; of a rule that
    ///   does not hold, some of them.
    public func selects(
        _ rule: UnsafePointer<RateLimitRuleConfig>, _ head: borrowing RequestHead, _ request: borrowing LimitedRequest,
        values: inout ByteBuffer
    ) -> Bool {
        let selectors = snapshot.records(rule.pointee.selectors)
        for i in 0..<Int(rule.pointee.selectors.count) where !selects(selectors + i, head, request, &values) {
            return false
        }
        return true
    }

    private func selects(
        _ selector: UnsafePointer<RateLimitSelectorConfig>, _ head: borrowing RequestHead,
        _ request: borrowing LimitedRequest, _ values: inout ByteBuffer
    ) -> Bool {
        if !selector.pointee.methods.isEmpty, !hasMethod(selector, head, request.bytes) { return false }
        if !selector.pointee.path.isEmpty, !hasPath(snapshot[selector.pointee.path, 0], request.path) { return false }
        if !selector.pointee.source.isEmpty,
            !isFrom(snapshot[selector.pointee.source, 0], request.client, &values)
        {
            return false
        }
        let headers = snapshot.records(selector.pointee.headers)
        for i in 0..<Int(selector.pointee.headers.count) {
            let wanted = headers + i
            let name = snapshot.text(wanted.pointee.name)
            let value =
                name.equals(LimitedRequest.callerName)
                ? request.caller.isEmpty ? nil : request.caller
                : fieldValue(wanted.pointee.fieldName, name, head, request.bytes)
            if !holds(wanted, value, &values) { return false }
        }
        let parameters = snapshot.records(selector.pointee.queryParams)
        for i in 0..<Int(selector.pointee.queryParams.count) {
            let wanted = parameters + i
            var value: ByteView?
            if let encoded = QueryView.firstValue(of: snapshot.text(wanted.pointee.name), in: request.query) {
                scratch.clear()
                QueryView.decode(encoded, into: &scratch)
                value = scratch.view
            }
            if !holds(wanted, value, &values) { return false }
        }
        return true
    }

    /// A value that is not there equals nothing, and an inverted match asks for just that.
    private func holds(
        _ wanted: UnsafePointer<RateLimitValueConfig>, _ value: ByteView?, _ values: inout ByteBuffer
    ) -> Bool {
        switch wanted.pointee.kind {
        case .distinct:
            guard let value else { return false }
            Self.append(value, to: &values)
            return true
        case .exact:
            let equals = value.map { $0.equals(snapshot.text(wanted.pointee.value)) } ?? false
            return equals != wanted.pointee.isInverted
        case .regularExpression:
            let matches = value.map { pattern(wanted.pointee.pattern).matches($0) } ?? false
            return matches != wanted.pointee.isInverted
        }
    }

    private func hasMethod(
        _ selector: UnsafePointer<RateLimitSelectorConfig>, _ head: borrowing RequestHead, _ bytes: ByteView
    ) -> Bool {
        let methods = snapshot.records(selector.pointee.methods)
        let method = head.methodRange.of(bytes)
        for i in 0..<Int(selector.pointee.methods.count)
        where method.equals(snapshot.text(methods[i].value)) != methods[i].isInverted {
            return true
        }
        return false
    }

    private func hasPath(_ wanted: UnsafePointer<RateLimitPathConfig>, _ path: ByteView) -> Bool {
        let value = snapshot.text(wanted.pointee.value)
        let matches =
            switch wanted.pointee.kind {
            case .exact: path.equals(value)
            case .regularExpression: pattern(wanted.pointee.pattern).matches(path)
            case .prefix: Self.hasPrefix(path, value)
            }
        return matches != wanted.pointee.isInverted
    }

    /// By whole segments, as PathPrefix of Gateway API.
    private static func hasPrefix(_ path: ByteView, _ prefix: ByteView) -> Bool {
        let prefix = prefix.hasSuffix(ByteView("/")) ? prefix.upTo(prefix.count - 1) : prefix
        return path.hasPrefix(prefix) && (path.count == prefix.count || path[prefix.count] == ASCII.slash)
    }

    private func isFrom(
        _ wanted: UnsafePointer<RateLimitSourceConfig>, _ client: IPAddress, _ values: inout ByteBuffer
    ) -> Bool {
        guard wanted.pointee.range.contains(client) != wanted.pointee.isInverted else { return false }
        if wanted.pointee.isDistinct {
            values.append(byte: 16)
            for index in 0..<16 { values.append(byte: client.octet(index)) }
        }
        return true
    }

    /// The length goes before, so that no two lists of values look alike.
    private static func append(_ value: ByteView, to values: inout ByteBuffer) {
        var length = value.count
        repeat {
            values.append(byte: UInt8(truncatingIfNeeded: length & 0x7F) | (length > 0x7F ? 0x80 : 0))
            length >>= 7
        } while length > 0
        values.append(value)
    }
}
