#!/bin/sh
# Checks the format of every module, vets it and lints it by .golangci.yml.
. "$(dirname "$0")/common.sh"

linter=$PWD/bin/golangci-lint

lint_module() {
	say "lint of $1"
	(cd "$1" && go vet ./... && "$linter" run ./...) || fail "the linters found something in $1, see above."
}

say "format"
# A folder's name, not the list of packages: files behind build tags count, too.
unformatted=$(gofmt -l ${MODULES:-.})
[ -z "$unformatted" ] || fail "these files are not formatted, run gofmt -w on them:
$unformatted"
echo "ok"

each_module lint_module
say "nothing to complain about"
