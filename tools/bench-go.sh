#!/bin/sh
# Runs the benchmarks of every module; BENCH selects some by name.
. "$(dirname "$0")/common.sh"

bench_module() {
	packages=$(cd "$1" && go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./...) ||
		fail "$1 does not load, see above."
	found=
	for package in $packages; do
		if grep -q '^func Benchmark' "$package"/*_test.go; then found="$found $package"; fi
	done
	[ -n "$found" ] || return 0
	say "benchmarks of $1"
	# One package at a time (-p 1), so that they do not compete for the processor.
	(cd "$1" && go test -p 1 -run '^$' -bench "$BENCH" -benchmem $found) ||
		fail "the benchmarks of $1 failed, see above."
}

each_module bench_module
