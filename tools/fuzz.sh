#!/bin/sh
# Runs every fuzz target of every module for $FUZZTIME each.
. "$(dirname "$0")/common.sh"

count=0

# targets lists "package target" per line: go test -list prints a package's targets
# and then "ok" with the name of the package.
targets() {
	go test -list '^Fuzz' ./... >"$listing" || return 1
	awk '/^Fuzz/ { target[n++] = $1 }
	     /^ok/   { for (i = 0; i < n; i++) print $2, target[i]; n = 0 }' "$listing"
}

fuzz_module() {
	cd "$1"
	found=$(targets) || { cat "$listing"; fail "$1 does not compile, see above."; }
	while read -r package target; do
		[ -n "$package" ] || continue
		count=$((count + 1))
		say "$target in $package for $FUZZTIME"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$package" </dev/null ||
			fail "$target found a failing input. It is kept in that package's testdata/fuzz, and go test replays it."
	done <<-EOF
		$found
	EOF
	cd - >/dev/null
}

listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
each_module fuzz_module
say "$count fuzz targets, no failing input"
