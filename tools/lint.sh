#!/bin/sh
# Checks the format of every module, vets it and lints it by .golangci.yml, and looks for
# functions that neither a program nor a test reaches.
. "$(dirname "$0")/common.sh"

linter=$PWD/bin/golangci-lint

lint_module() {
	say "lint of $1"
	(cd "$1" && go vet ./... && "$linter" run --allow-parallel-runners ./...)
}

listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
say "format"
# The folder and not the list of packages: this includes files with build tags.
unformatted=$(gofmt -l ${MODULES:-.})
if [ -z "$unformatted" ]; then
	echo "ok"
else
	printf 'run gofmt -w on these files:\n%s\n' "$unformatted"
fi

# unreached lists functions that nothing calls. One module may call another's functions, so
# all modules are checked together. An example without output is never run.
unreached() {
	folders=$(go list -m -f '{{.Dir}}/...') && bin/deadcode -test $folders >"$listing" ||
		fail "deadcode could not read the modules, see above."
	grep -v 'unreachable func: Example' "$listing"
}

each_module lint_module
if [ -z "${MODULES:-}" ]; then
	say "functions that nothing reaches"
	if unreached; then failed="$failed dead code"; else echo "none"; fi
fi
failed="${unformatted:+ format}$failed"
[ -z "$failed" ] || fail "the linters found something, see above, in:$failed"
say "nothing to complain about"
