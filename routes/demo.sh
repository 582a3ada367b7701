# What the demos share: sourced by quickstart.sh and group-demo.sh, which set `sluice`. Starts programs, waits until the gateway
# serves, and ends what was started, and nothing else.

in_use() { (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null; }

# need ADDRESS:PORT WHAT: ends the demo when something else listens there.
need() {
    if in_use "$1"; then
        echo "error: port ${1##*:}, needed for $2, is in use on this machine; stop what listens there first" >&2
        exit 1
    fi
}

# Each child in a process group of its own: the terminal's Ctrl-C reaches this script alone, which ends them in order, and
# the shell does not make them ignore SIGINT, as it does with background commands otherwise.
set -m
children=()
# Only what was started here is ended: the gateway first, then the backends.
finish() {
    trap - EXIT INT TERM
    # The shell's own word on each child that ends is noise here.
    exec 2>/dev/null
    # SIGINT, for the gateway to end without a drain; a backend may have been started with it ignored, so SIGTERM there.
    [[ -z ${gateway-} ]] || kill -INT "$gateway" || true
    for child in "${children[@]}"; do
        [[ $child == "${gateway-}" ]] || kill -TERM "$child" || true
    done
    wait || true
}
trap finish EXIT
trap 'exit 0' INT
trap 'exit 143' TERM

# backend WORD…: a backend of `sluice echo`.
backend() {
    "$sluice" echo "$@" &
    children+=($!)
}

# serve PATH: the gateway on these manifests. Ready is when it says so; ten seconds is far more than it takes.
serve() {
    "$sluice" run "$1" &
    gateway=$!
    children+=("$gateway")
    for ((tries = 0; ; tries++)); do
        if curl --silent --fail --output /dev/null --max-time 1 http://127.0.0.1:15000/readyz; then
            break
        fi
        if ! kill -0 "$gateway" 2>/dev/null || ((tries >= 200)); then
            echo "error: the gateway did not get ready; what it said stands above" >&2
            exit 1
        fi
        sleep 0.05
    done
}
