#!/bin/bash
# Starts two versions of the built-in echo backend and the gateway on this folder, says what to try, and ends them all
# with Ctrl-C. Usage: routes/quickstart.sh PATH-TO-SLUICE
set -euo pipefail
sluice=${1:?usage: routes/quickstart.sh PATH-TO-SLUICE}
sluice=$(realpath "$sluice")
cd "$(dirname "$0")/.."

in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

for need in '8080 the gateway' '9001 echo backend v1' '9002 echo backend v2' '15000 the admin interface'; do
    if in_use "${need%% *}"; then
        echo "error: port ${need%% *}, needed for ${need#* }, is in use on this machine; stop what listens there first" >&2
        exit 1
    fi
done

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

"$sluice" echo --listen 127.0.0.1:9001 --name v1 &
children+=($!)
"$sluice" echo --listen 127.0.0.1:9002 --name v2 &
children+=($!)
"$sluice" run routes &
gateway=$!
children+=("$gateway")

# Ready is when the gateway says so; ten seconds is far more than it takes.
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

cat <<'TEXT'

Sluice is ready: http://localhost:8080 (admin: http://127.0.0.1:15000). Try, from another terminal:

  curl -i http://localhost:8080/hello                                a plain route: v1 answers
  for i in $(seq 10); do curl -s http://localhost:8080/; done        the canary: v2 answers one in ten
  curl -i -H 'x-version: v2' http://localhost:8080/                  the version header: v2 answers
  curl --cacert certs/localhost.pem https://secure.localhost:8443/   HTTPS, HTTP/2 where curl can

The manifests are in routes/; after a change: kill -HUP or 'sluice reload'. Ctrl-C ends everything.

TEXT
wait "$gateway"
