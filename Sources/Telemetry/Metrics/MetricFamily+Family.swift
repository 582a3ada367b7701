extension MetricFamily {
    /// Of the set of manifests that is served, of rollouts, and of the processes that serve it.
    static let ofFamily: [MetricFamily] = [
        MetricFamily("sluice_build_info", .gauge, ["version"], .build, "Always 1; the label tells the version."),
        MetricFamily(
            "sluice_config_generation", .gauge, [], .generation,
            "The set of manifests that all workers serve; grows by one with each that takes effect."),
        MetricFamily(
            "sluice_config_revision", .gauge, [], .revision,
            "Snapshots published so far, those of changed DNS answers included."),
        MetricFamily(
            "sluice_config_loaded_timestamp_seconds", .gauge, [], .controller(.loadedAt),
            "When the running set took effect, seconds since 1970."),
        MetricFamily(
            "sluice_config_reloads_total", .counter, [], .controller(.reloads),
            "Attempts to load a set of manifests, the first included."),
        MetricFamily(
            "sluice_config_reload_failures_total", .counter, [], .controller(.reloadFailures),
            "Attempts that changed nothing, because the set was refused."),
        MetricFamily(
            "sluice_config_unbound_sockets", .gauge, [], .unboundSockets,
            "Addresses of the running set that could not be bound."),
        MetricFamily(
            "sluice_certificate_expiry_timestamp_seconds", .gauge, ["secret"], .certificates,
            "When the certificate in use of this Secret (namespace/name) expires, seconds since 1970."),
        MetricFamily(
            "sluice_rollout_canary_ratio", .gauge, ["route", "rule"], .rolloutShares,
            "The canary's share of what it and the stable version get together, 0 to 1."),
        MetricFamily(
            "sluice_rollout_phase", .gauge, ["route", "rule", "phase"], .rolloutPhases,
            "1 for the phase that the rollout is in: progressing, holding, completed, rolledBack; 0 for the others."),
        MetricFamily(
            "sluice_rollout_requests_total", .counter, ["route", "rule", "side"], .rolloutRequests,
            "Requests that the rollout has compared, by side: canary, stable."),
        MetricFamily(
            "sluice_rollout_failures_total", .counter, ["route", "rule", "side"], .rolloutFailures,
            "Of those, the ones that failed: status 500 and above, or no whole response."),
        MetricFamily(
            "sluice_workers", .gauge, ["state"], .workerStates,
            "Worker processes by what they are doing: starting, serving, backing_off, draining, gone."),
        MetricFamily(
            "sluice_worker_restarts_total", .counter, ["worker"], .workerRestarts,
            "How often a worker was started again after it had died."),
        MetricFamily(
            "sluice_controller_restarts_total", .counter, [], .controllerRestarts,
            "How often the controller was started again after it had died."),
        MetricFamily(
            "sluice_worker_config_generation", .gauge, ["worker"], .eachWorker(.generationNow),
            "The set of manifests that this worker serves."),
        MetricFamily(
            "sluice_worker_loop_turns_total", .counter, ["worker"], .eachWorker(.loopTurns),
            "Turns of the worker's event loop."),
    ]
}
