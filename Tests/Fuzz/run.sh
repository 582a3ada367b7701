#!/bin/sh
# Fuzzes the parsers with libFuzzer: Tests/Fuzz/run.sh [SECONDS] [TARGET…]
#
# Each target is one line of TARGETS: its name, the test room that keeps its corpus, the folders it is compiled from, all in
# one module (SwiftPM has no product for fuzzers), and libraries to link (-lyaml). Tests/Fuzz/NAME.swift defines LLVMFuzzerTestOneInput. Imports of
# our rooms are taken out; those of C libraries find their module maps.
# Inputs that broke something are kept as Tests/ROOM/Corpus/NAME-…; the room's tests replay them for ever.
set -eu
cd "$(dirname "$0")/../.."

TARGETS='
RequestHeadFuzzer   HTTPTests  Sources/Core Sources/HTTP -lnghttp2
ResponseHeadFuzzer  HTTPTests  Sources/Core Sources/HTTP -lnghttp2
ChunkedBodyFuzzer   HTTPTests  Sources/Core Sources/HTTP -lnghttp2
PathFuzzer          HTTPTests  Sources/Core Sources/HTTP -lnghttp2
HTTP2Fuzzer  HTTPTests  Sources/Core Sources/HTTP -lnghttp2
ClientHelloFuzzer   TLSTests  Sources/Core Sources/TLS/ClientHello.swift Sources/TLS/TLSLimits.swift
ManifestFuzzer      ManifestTests  Sources/Core Sources/Manifest/Document Sources/Manifest/Schema Sources/Manifest/Finding.swift Sources/Manifest/ManifestReader.swift Sources/Manifest/ManifestReading.swift -lyaml
'

seconds=${1:-60}
[ $# -gt 0 ] && shift
wanted=" $* "
build=.build/fuzz
modules=$(find Sources/C -name module.modulemap -exec dirname {} \; | sed 's/^/-I /')
failed=0

echo "$TARGETS" | grep . | { while read -r name room rest; do
    case "$wanted" in
    "  " | *" $name "*) ;;
    *) continue ;;
    esac
    folders=
    libraries=
    for word in $rest; do
        case "$word" in
        -*) libraries="$libraries $word" ;;
        *) folders="$folders $word" ;;
        esac
    done
    work=$build/$name
    rm -rf "$work/sources"
    mkdir -p "$work/sources" "$work/inputs" "Tests/$room/Corpus"
    # One module: the rooms' imports of each other would find nothing.
    rooms=$(ls Sources | grep -v '^C$' | paste -sd '|' -)
    for file in $(find $folders -name '*.swift') "Tests/Fuzz/$name.swift" Tests/Fuzz/Pieces.swift; do
        sed -E "s/^(public )?import ($rooms)\$//" "$file" >"$work/sources/$(echo "$file" | tr / _)"
    done
    if ! [ -x "$work/fuzzer" ] || [ -n "$(find $folders Tests/Fuzz -name '*.swift' -newer "$work/fuzzer")" ]; then
        # Debian's gold says of hundreds of symbols of the sanitizer that it cannot export them; that is harmless.
        swiftc -O -swift-version 6 -sanitize=fuzzer,address -parse-as-library -module-name "$name" \
            $modules "$work"/sources/*.swift $libraries -o "$work/fuzzer" 2>"$work/build" || {
            grep -v "Cannot export local symbol" "$work/build"
            exit 1
        }
    fi
    echo "== $name: $seconds s"
    dictionary=
    [ -f "Tests/Fuzz/$name.dict" ] && dictionary="-dict=Tests/Fuzz/$name.dict"
    if ! "$work/fuzzer" "$work/inputs" "Tests/$room/Corpus" $dictionary -max_total_time="$seconds" -max_len=4096 \
        -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="Tests/$room/Corpus/$name-" \
        >"$work/log" 2>&1; then
        failed=1
        tail -40 "$work/log"
        echo "== $name FAILED; the input is kept under Tests/$room/Corpus"
    fi
    grep -E '^(stat::number_of_executed_units|Done)' "$work/log" || true
done
exit $failed; }
