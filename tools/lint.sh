#!/bin/sh
# Checks the format of every module, vets it and lints it by .golangci.yml.
. "$(dirname "$0")/common.sh"

linter=$PWD/bin/golangci-lint

lint_module() {
	say "lint of $1"
	(cd "$1" && go vet ./... && "$linter" run ./...)
}

say "format"
# A folder's name, not the list of packages: files behind build tags count, too.
unformatted=$(gofmt -l ${MODULES:-.})
if [ -z "$unformatted" ]; then
	echo "ok"
else
	printf 'run gofmt -w on these files:\n%s\n' "$unformatted"
fi

each_module lint_module
failed="${unformatted:+ format}$failed"
[ -z "$failed" ] || fail "the linters found something, see above, in:$failed"
say "nothing to complain about"
