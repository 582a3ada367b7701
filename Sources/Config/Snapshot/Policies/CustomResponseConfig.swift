import Core
import HTTP

/// A ``CustomResponsePlan`` in the block.
public struct CustomResponseConfig: BitwiseCopyable, Sendable {
    /// 0: that of what is overridden.
    public var statusCode: UInt16
    public var contentType: TextRef
    /// The whole body where every octet of it is known; else empty.
    public var text: TextRef
    /// The body in parts where one of them depends on the request; else empty.
    public var parts: Table<BodyPartConfig>
    public var headers: Table<HeaderEditConfig>
}

public struct BodyPartConfig: BitwiseCopyable, Sendable {
    /// Text as it stands where ``isText``; else the name of a field, if the kind has one.
    public var text: TextRef
    public var alternative: TextRef
    public var kind: CommandOperator.Kind
    public var isText: Bool
    public var length: UInt32
}

/// A ``CredentialInjectionPlan`` in the block.
public struct CredentialInjectionConfig: BitwiseCopyable, Sendable {
    public var fieldName: FieldName
    public var overwrite: Bool
    public var header: TextRef
    public var value: TextRef
}

extension SnapshotWriter {
    mutating func write(_ plan: CustomResponsePlan) -> CustomResponseConfig {
        var whole = ""
        var isWhole = true
        for part in plan.body {
            if case .text(let text) = part { whole += text } else { isWhole = false }
        }
        var parts = Table<BodyPartConfig>()
        if !isWhole {
            parts = block.allocate(BodyPartConfig.self, count: plan.body.count)
            if block.failure == nil {
                for (index, part) in plan.body.enumerated() { block[parts, index] = write(part) }
            }
        }
        return CustomResponseConfig(
            statusCode: plan.statusCode ?? 0, contentType: text(plan.contentType),
            text: isWhole ? text(whole) : TextRef(), parts: parts,
            headers: plan.headers.isEmpty ? Table() : edits(plan.headers))
    }

    private mutating func write(_ part: CustomResponsePlan.BodyPart) -> BodyPartConfig {
        switch part {
        case .text(let text):
            BodyPartConfig(
                text: self.text(text), alternative: TextRef(), kind: .responseCode, isText: true, length: 0)
        case .value(let value):
            BodyPartConfig(
                text: text(value.name), alternative: text(value.alternative), kind: value.kind, isText: false,
                length: value.length)
        }
    }

    mutating func write(_ plan: CredentialInjectionPlan) -> Table<CredentialInjectionConfig> {
        let config = CredentialInjectionConfig(
            fieldName: fieldName(plan.header), overwrite: plan.overwrite, header: text(plan.header),
            value: text(plan.value))
        return block.append(contentsOf: [config])
    }
}
