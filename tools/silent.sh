#!/bin/sh
# Runs a test binary (go test -exec), and fails if the tests pass but print something: the
# output of a green run must be empty. A test writes to t.Log, and an app under test to the
# test's own logger.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$@" >"$said" 2>&1
status=$?
cat "$said"
if [ $status -eq 0 ] && [ "$(cat "$said")" != PASS ]; then
	echo 'FAIL: the tests passed, and printed what is above. A green run is silent.'
	exit 1
fi
exit $status
