#!/bin/sh
# Compares the cost of sign-in with that of other software, and writes the tables and the
# picture of docs/performance.md. With ROWS (some rows) or QUICK (a short run) it writes no
# files.
. "$(dirname "$0")/common.sh"

set --
if [ -n "${ROWS:-}" ]; then set -- "$@" -rows "$ROWS"; fi
if [ -n "${QUICK:-}" ]; then set -- "$@" -quick; fi
if [ $# -eq 0 ]; then set -- -o docs; fi

# go run would also keep the compiler on the single processor that the program chooses.
mkdir -p bin
go build -o bin/bench ./bench || fail "the benchmark does not build, see above."
exec bin/bench "$@"
