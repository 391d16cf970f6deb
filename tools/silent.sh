#!/bin/sh
# Runs a test binary (go test -exec), and fails if it passes but prints something besides:
# who reads the output of a green run has to find nothing in it. What a test has to say
# belongs into t.Log, and what an app under test logs into the test's own logger.
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
