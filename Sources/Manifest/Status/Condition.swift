/// The types of conditions that statuses carry (Gateway API; the last four are Envoy Gateway's).
package enum ConditionType: UInt8, Sendable {
    case accepted, programmed, resolvedRefs, conflicted, partiallyInvalid, supportedVersion
    case insecureFrontendValidationMode
    case overlappingTLSConfig, backendsAvailable, routeRulesOverlap
    case aggregated, overridden, merged, warning
    /// Ours.
    case rollout

    package var text: StaticString {
        switch self {
        case .accepted: "Accepted"
        case .programmed: "Programmed"
        case .resolvedRefs: "ResolvedRefs"
        case .conflicted: "Conflicted"
        case .partiallyInvalid: "PartiallyInvalid"
        case .supportedVersion: "SupportedVersion"
        case .insecureFrontendValidationMode: "InsecureFrontendValidationMode"
        case .overlappingTLSConfig: "OverlappingTLSConfig"
        case .backendsAvailable: "BackendsAvailable"
        case .routeRulesOverlap: "RouteRulesOverlap"
        case .aggregated: "Aggregated"
        case .overridden: "Overridden"
        case .merged: "Merged"
        case .warning: "Warning"
        case .rollout: "sluice.dev/Rollout"
        }
    }
}

/// Why a condition is as it is. Names are Gateway API's, or Envoy Gateway's where Gateway API has none.
package enum ConditionReason: UInt8, Sendable {
    case accepted, programmed, resolvedRefs, noConflicts, supportedVersion, invalid
    // Gateways and their listeners.
    case listenersNotValid, unsupportedAddress, addressNotUsable, portUnavailable
    case unsupportedProtocol, protocolConflict, hostnameConflict
    case invalidRouteKinds, invalidCertificateRef, partiallyInvalidCertificateRef, refNotPermitted
    case invalidCACertificateRef, invalidCACertificateKind, noValidCACertificate
    case listenersNotResolved, configurationChanged, notAllowed, parentNotAccepted, parentNotProgrammed
    case invalidClientCertificateRef, overlappingHostnames, overlappingCertificates
    // Routes.
    case noMatchingParent, notAllowedByListeners, noMatchingListenerHostname, unsupportedValue
    case backendNotFound, invalidKind, portNotFound, unsupportedRefValue, endpointsNotFound, routeRulesOverlap
    case conflicted, incompatibleFilters, invalidBackendRef
    // Rollouts.
    case progressing, holding, completed, rolledBack
    // Policies.
    case invalidBackendTLS, targetNotFound, aggregated, overridden, merged, deprecatedField

    package var text: StaticString {
        switch self {
        case .accepted: "Accepted"
        case .programmed: "Programmed"
        case .resolvedRefs: "ResolvedRefs"
        case .noConflicts: "NoConflicts"
        case .supportedVersion: "SupportedVersion"
        case .invalid: "Invalid"
        case .listenersNotValid: "ListenersNotValid"
        case .unsupportedAddress: "UnsupportedAddress"
        case .addressNotUsable: "AddressNotUsable"
        case .portUnavailable: "PortUnavailable"
        case .unsupportedProtocol: "UnsupportedProtocol"
        case .protocolConflict: "ProtocolConflict"
        case .hostnameConflict: "HostnameConflict"
        case .invalidRouteKinds: "InvalidRouteKinds"
        case .invalidCertificateRef: "InvalidCertificateRef"
        case .partiallyInvalidCertificateRef: "PartiallyInvalidCertificateRef"
        case .refNotPermitted: "RefNotPermitted"
        case .invalidCACertificateRef: "InvalidCACertificateRef"
        case .invalidCACertificateKind: "InvalidCACertificateKind"
        case .noValidCACertificate: "NoValidCACertificate"
        case .listenersNotResolved: "ListenersNotResolved"
        case .configurationChanged: "ConfigurationChanged"
        case .notAllowed: "NotAllowed"
        case .parentNotAccepted: "ParentNotAccepted"
        case .parentNotProgrammed: "ParentNotProgrammed"
        case .invalidClientCertificateRef: "InvalidClientCertificateRef"
        case .overlappingHostnames: "OverlappingHostnames"
        case .overlappingCertificates: "OverlappingCertificates"
        case .noMatchingParent: "NoMatchingParent"
        case .notAllowedByListeners: "NotAllowedByListeners"
        case .noMatchingListenerHostname: "NoMatchingListenerHostname"
        case .unsupportedValue: "UnsupportedValue"
        case .backendNotFound: "BackendNotFound"
        case .invalidKind: "InvalidKind"
        case .portNotFound: "PortNotFound"
        case .unsupportedRefValue: "UnsupportedRefValue"
        case .endpointsNotFound: "EndpointsNotFound"
        case .routeRulesOverlap: "RouteRulesOverlap"
        case .conflicted: "Conflicted"
        case .progressing: "Progressing"
        case .holding: "Holding"
        case .completed: "Completed"
        case .rolledBack: "RolledBack"
        case .incompatibleFilters: "IncompatibleFilters"
        case .invalidBackendRef: "InvalidBackendRef"
        case .invalidBackendTLS: "InvalidBackendTLS"
        case .targetNotFound: "TargetNotFound"
        case .aggregated: "Aggregated"
        case .overridden: "Overridden"
        case .merged: "Merged"
        case .deprecatedField: "DeprecatedField"
        }
    }
}

/// One condition of a status (metav1.Condition). Its observedGeneration is the resource's own: every condition is decided
/// anew with each set.
package struct Condition: Equatable, Sendable {
    package var type: ConditionType
    package var isTrue: Bool
    package var reason: ConditionReason
    package var message: String
    /// RFC 3339: when `isTrue` last became what it is.
    package var lastTransitionTime: String

    package init(_ type: ConditionType, _ isTrue: Bool, _ reason: ConditionReason, _ message: String) {
        self.type = type
        self.isTrue = isTrue
        self.reason = reason
        self.message = message
        lastTransitionTime = ""
    }
}

extension [Condition] {
    /// Dates each condition: as before where its value stayed, else `now`.
    mutating func date(now: String, since previous: [Condition]?) {
        for index in indices {
            let same = previous?.first { $0.type == self[index].type && $0.isTrue == self[index].isTrue }
            self[index].lastTransitionTime = same?.lastTransitionTime ?? now
        }
    }
}

/// What messages are made of. The constant ones are shared by thousands of conditions.
enum StatusMessage {
    /// Names that a list shows before it counts the rest, so that a thousand of them do not fill a thousand messages.
    private static let listLimit = 8

    static func list(_ names: [String]) -> String {
        let shown = names.prefix(listLimit).joined(separator: ", ")
        return names.count > listLimit ? "\(shown) and \(names.count - listLimit) more" : shown
    }

    static let routeAccepted = "Route is accepted"
    static let referencesResolved = "All references are resolved"
}
