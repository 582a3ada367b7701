/// `allowedRoutes.namespaces` and `allowedListeners.namespaces`: from which namespaces routes or ListenerSets may attach.
enum NamespaceRule {
    case all, same, none
    case selector(LabelSelector)
    /// `from: Selector` without a selector, or with one that means nothing.
    case invalid(String)

    /// - Parameter default: what an unwritten `from` means.
    init(_ node: WrittenNode, default: String = "Same") {
        switch node[.from].string ?? `default` {
        case "All": self = .all
        case "None": self = .none
        case "Selector":
            let selector = node[.selector]
            guard selector.exists else {
                self = .invalid("from is 'Selector', but no selector is given")
                return
            }
            let read = LabelSelector(selector)
            self = read.problem.map { .invalid($0) } ?? .selector(read)
        default: self = .same
        }
    }
}

/// A label selector as Kubernetes has it: all of `matchLabels` and all of `matchExpressions` must hold.
struct LabelSelector {
    enum Requirement {
        case isIn(key: String, values: [String])
        case notIn(key: String, values: [String])
        case exists(key: String)
        case doesNotExist(key: String)
    }
    var requirements: [Requirement] = []
    /// Why the selector can select nothing, or nil.
    var problem: String?

    init(_ node: WrittenNode) {
        for (key, value) in node[.matchLabels].fields {
            requirements.append(.isIn(key: key.string, values: [value.string ?? ""]))
        }
        for item in node[.matchExpressions].items {
            let key = item[.key].string ?? ""
            var values: [String] = []
            for item in item[.values].items { values.append(item.string ?? "") }
            let name = item[.operator].string ?? ""
            switch (name, values.isEmpty) {
            case ("In", false): requirements.append(.isIn(key: key, values: values))
            case ("NotIn", false): requirements.append(.notIn(key: key, values: values))
            case ("Exists", true): requirements.append(.exists(key: key))
            case ("DoesNotExist", true): requirements.append(.doesNotExist(key: key))
            case ("In", true), ("NotIn", true):
                problem = "the operator '\(name)' on label '\(key)' needs values"
            case ("Exists", false), ("DoesNotExist", false):
                problem = "the operator '\(name)' on label '\(key)' takes no values"
            default:
                problem = "'\(name)' is no operator; In, NotIn, Exists and DoesNotExist are"
            }
        }
    }

    func matches(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isIn(let key, let values): labels[key].map(values.contains) ?? false
            // A label that is missing is in no set (as labels.Selector has it).
            case .notIn(let key, let values): !(labels[key].map(values.contains) ?? false)
            case .exists(let key): labels[key] != nil
            case .doesNotExist(let key): labels[key] == nil
            }
        }
    }
}
