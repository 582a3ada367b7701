#!/bin/sh
# Makes certs/localhost.pem and certs/localhost-key.pem, valid for a year, unless they exist already with these names.
# curl takes no wildcard right below a top-level name, so what the examples call stands there in full.
set -eu
cd "$(dirname "$0")"
if [ -s localhost-key.pem ] && openssl x509 -in localhost.pem -noout -ext subjectAltName 2>/dev/null |
    grep -q 'DNS:secure\.localhost'; then
    exit 0
fi
# The key is readable by its owner only, from the moment it exists.
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
    -subj '/CN=localhost' \
    -addext 'subjectAltName=DNS:localhost,DNS:secure.localhost,DNS:*.tls.localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1' \
    -keyout localhost-key.pem -out localhost.pem 2>/dev/null
chmod 644 localhost.pem
echo "made certs/localhost.pem (self-signed, for trying things on this machine only)"
