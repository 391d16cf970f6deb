#!/bin/sh
# Measures what sign-in costs beside other ways, and writes the tables and the picture of
# docs/performance.md. ROWS (some rows) or QUICK (a brief look) write nothing.
. "$(dirname "$0")/common.sh"

set --
if [ -n "${ROWS:-}" ]; then set -- "$@" -rows "$ROWS"; fi
if [ -n "${QUICK:-}" ]; then set -- "$@" -quick; fi
if [ $# -eq 0 ]; then set -- -o docs; fi

# Built, not run: the program keeps itself on one processor, and the compiler need not be.
mkdir -p bin
go build -o bin/bench ./bench || fail "the benchmark does not build, see above."
exec bin/bench "$@"
