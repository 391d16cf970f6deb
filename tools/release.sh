#!/bin/sh
# Makes a version of every module that others install, in this checkout, and prints how to
# publish it: tools/release.sh v0.12.0. With -h, its flags.
. "$(dirname "$0")/common.sh"

exec go run ./tools/release "$@"
