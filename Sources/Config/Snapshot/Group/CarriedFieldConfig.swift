import Core
import HTTP

/// A ``CarriedFieldPlan`` as workers read it.
public struct CarriedFieldConfig: BitwiseCopyable, Sendable {
    public var name: TextRef
    public var fieldName: FieldName
    public var baggageKey: TextRef
    /// Of the name: under which values are kept.
    public var identity: UInt64
}

extension SnapshotWriter {
    mutating func write(carried plans: [CarriedFieldPlan]) -> Table<CarriedFieldConfig> {
        var configs: [CarriedFieldConfig] = []
        for plan in plans {
            var identity = IdentityHash()
            identity.add("carried")
            identity.add(plan.name)
            configs.append(
                CarriedFieldConfig(
                    name: text(plan.name), fieldName: plan.name.withView { FieldName($0) },
                    baggageKey: text(plan.baggageKey), identity: identity.value))
        }
        return block.append(contentsOf: configs)
    }
}
