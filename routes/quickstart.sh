#!/bin/bash
# Starts two versions of the built-in echo backend and the gateway on this folder, says what to try, and ends them all
# with Ctrl-C. Usage: routes/quickstart.sh PATH-TO-SLUICE
set -euo pipefail
usage='usage: routes/quickstart.sh PATH-TO-SLUICE'
sluice=$(command -v "${1-}") || { echo "error: '${1-}' is no program; $usage" >&2; exit 2; }
sluice=$(realpath "$sluice")
cd "$(dirname "$0")/.."

source routes/demo.sh

need 127.0.0.1:8080 'the gateway'
need 127.0.0.1:9001 'echo backend v1'
need 127.0.0.1:9002 'echo backend v2'
need 127.0.0.1:15000 'the admin interface'

backend --listen 127.0.0.1:9001 --name v1
backend --listen 127.0.0.1:9002 --name v2
serve routes

cat <<'TEXT'

Sluice is ready: http://localhost:8080 (admin: http://127.0.0.1:15000). Try, from another terminal:

  curl -i http://localhost:8080/hello                                a plain route: v1 answers
  for i in $(seq 10); do curl -s http://localhost:8080/; done        the canary: v2 answers one in ten
  curl -i -H 'x-version: v2' http://localhost:8080/                  the version header: v2 answers
  curl --cacert certs/localhost.pem https://secure.localhost:8443/   HTTPS, HTTP/2 where curl can

The manifests are in routes/; after a change: kill -HUP or 'sluice reload'. Ctrl-C ends everything.

TEXT
wait "$gateway"
