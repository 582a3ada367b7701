#!/bin/sh
# Makes certs/mesh with the program that is given: a CA, and certificates of a gateway and of a waypoint, for routes/hbone.yaml.
# What is there already is renewed when its end is near.
set -eu
sluice=$1
cd "$(dirname "$0")"
case $sluice in
/*) ;;
*) sluice=../$sluice ;;
esac
[ -s mesh/ca/ca.key ] || "$sluice" cert ca --out mesh/ca
for account in front waypoint; do
    [ -s "mesh/$account/tls.crt" ] ||
        "$sluice" cert workload --namespace parcels --service-account "$account" --ca mesh/ca --out "mesh/$account"
done
"$sluice" cert rotate mesh
