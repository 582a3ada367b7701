import Config
import Core
import IO
import Manifest

/// One attempt to load a set of manifests, from the files to the word that all workers serve it.
final class Attempt {
    let trigger: ReloadTrigger
    let began: Instant
    var load: ManifestLoad
    var deposit: SharedFD?
    /// Everybody who waits for the outcome.
    var listeners: [(ReloadOutcome) -> Void]
    /// Addresses that were bound for this attempt.
    var fresh: [ListeningAddress] = []
    var failures: [ListeningAddress: BindFailure] = [:]
    /// Addresses of the bind requests that are not answered yet, in their order.
    var unanswered = 0
    /// What was published, and waits to be live.
    var candidate: LiveSet?
    /// Told of answers to bind requests.
    var onBound: (() -> Void)?
    unowned let controller: Controller

    init(
        _ load: ManifestLoad, trigger: ReloadTrigger, controller: Controller, listeners: [(ReloadOutcome) -> Void]
    ) {
        self.load = load
        self.trigger = trigger
        self.controller = controller
        self.listeners = listeners
        began = controller.loop.now
    }

    func bound(_ bindings: [Binding]) {
        for binding in bindings {
            switch binding.outcome {
            case .bound(let id):
                if controller.bound.updateValue(id, forKey: binding.address) == nil { fresh.append(binding.address) }
            case .failed(let errno):
                failures[binding.address] = BindFailure(errno: errno.code, message: errno.description)
            }
        }
        unanswered -= bindings.count
        if unanswered == 0 { onBound?() }
    }
}
