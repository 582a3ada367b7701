#!/bin/bash
# Starts four small services that call each other through one group gateway, says what to try, and ends them all with
# Ctrl-C. Usage: routes/group-demo.sh PATH-TO-SLUICE
set -euo pipefail
usage='usage: routes/group-demo.sh PATH-TO-SLUICE'
sluice=$(command -v "${1-}") || { echo "error: '${1-}' is no program; $usage" >&2; exit 2; }
sluice=$(realpath "$sluice")
cd "$(dirname "$0")/.."
source routes/demo.sh

group=127.0.0.1:15081
need "$group" 'the group gateway'
need 127.0.0.1:15000 'the admin interface'
for port in 9110 9111 9112 9113 9121 9122; do need "127.0.0.1:$port" 'a service of the demo'; done

# Each service knows the names of others, and one address: the group gateway's.
backend --listen 127.0.0.1:9110 --name front --call http://cart.shop/ --call http://stock.shop/ --via "$group"
backend --listen 127.0.0.1:9111 --name cart-v1 --call http://price.shop/ --via "$group"
backend --listen 127.0.0.1:9112 --name cart-v2 --call http://price.shop/ --via "$group"
backend --listen 127.0.0.1:9113 --name stock
backend --listen 127.0.0.1:9121 --name price-v1
backend --listen 127.0.0.1:9122 --name price-v2
serve routes/group-demo.yaml

cat <<'TEXT'

Four services call each other through the group gateway at 127.0.0.1:15081: front calls cart and stock, cart calls price.
The answer's x-echo-chain tells who was called. Try, from another terminal:

  curl -si -x http://127.0.0.1:15081 http://front.shop/ | grep x-echo
        front(cart-v1(price-v1),stock); one call in ten goes to the canary in the middle of the chain, cart-v2, and
        with it to price-v2: the version goes on in baggage
  curl -si -x http://127.0.0.1:15081 -H 'x-version: v2' http://front.shop/ | grep x-echo
        front(cart-v2(price-v2),stock): the version header holds over the whole chain
  for i in $(seq 20); do curl -si -x http://127.0.0.1:15081 http://front.shop/ | grep x-echo; done | sort | uniq -c
  curl -i -x http://127.0.0.1:15081 http://example.com/
        403: nobody leaves the group unless a route says so

The manifests are in routes/group-demo.yaml. Ctrl-C ends everything.

TEXT
wait "$gateway"
