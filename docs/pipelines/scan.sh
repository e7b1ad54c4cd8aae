#!/bin/sh
# Scans all targets of a configuration, keeps the reports, and fails if a critical check fails.
#
#   scan.sh CONFIG FOLDER
set -eu
config=$1 folder=$2
mkdir -p "$folder"
# The exit code is that of the scan; the reports are written whatever it is.
code=0
tls-posture-exporter scan \
    --config.file="$config" \
    --output=junit:"$folder/tls.xml" \
    --output=html:"$folder/tls.html" \
    --output=csv:"$folder/tls.csv" \
    --output=cyclonedx:"$folder/tls.cdx.json" \
    --fail-on=critical || code=$?
case $code in
    0) echo "no critical check fails" ;;
    1) echo "a critical check fails; see $folder/tls.html" >&2 ;;
    3) echo "not everything is known; see $folder/tls.html" >&2 ;;
esac
exit "$code"
