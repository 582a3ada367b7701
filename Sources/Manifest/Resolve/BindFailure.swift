import Glibc

/// Why a socket could not be bound. The controller learns it after a first resolution and gives it to the second.
package struct BindFailure: Equatable, Sendable {
    package enum Cause: Sendable {
        /// The host has no such address.
        case addressNotUsable
        /// The address is there, its port is taken or not ours to take.
        case portUnavailable
    }
    package var cause: Cause
    package var message: String
    /// The process may not: a capability is missing.
    package var isForbidden = false

    package init(_ cause: Cause, _ message: String) {
        self.cause = cause
        self.message = message
    }

    /// - Parameter errno: what bind(2) or listen(2) left.
    package init(errno code: CInt, message: String) {
        let isAddress = code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == ENODEV
        self.init(isAddress ? .addressNotUsable : .portUnavailable, message)
        isForbidden = code == EPERM || code == EACCES
    }
}
