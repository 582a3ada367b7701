#!/bin/sh
# Makes certs/mesh with the program that is given: a CA, and certificates of a gateway and of a waypoint, for routes/hbone.yaml.
# What is there already is renewed when its end is near.
set -eu
usage="usage: certs/mesh.sh PATH-TO-SLUICE"
sluice=$(command -v "${1-}") || { echo "error: '${1-}' is no program; $usage" >&2; exit 2; }
sluice=$(realpath "$sluice")
cd "$(dirname "$0")"
[ -s mesh/ca/ca.key ] || "$sluice" cert ca --out mesh/ca
for account in front waypoint; do
    [ -s "mesh/$account/tls.crt" ] ||
        "$sluice" cert workload --namespace parcels --service-account "$account" --ca mesh/ca --out "mesh/$account" --replace
done
"$sluice" cert rotate mesh
