#!/bin/sh
# Runs the tests of every module with the race detector, and first gets the C compiler,
# the browser and the Redis server they need.
. "$(dirname "$0")/common.sh"

# The race detector links with the C compiler.
need_compiler() {
	have "$(go env CC)" && return
	case $(uname -s) in
	Darwin) fail "the race detector needs a C compiler. Install it with: xcode-select --install" ;;
	esac
	apt gcc libc6-dev ||
		fail "the race detector needs a C compiler. Install gcc, on Debian or Ubuntu with:
      sudo apt-get install gcc libc6-dev"
}

# The tests look in the same places: see Find in e2e/browser.
need_chromium() {
	if [ -n "${CHROMIUM:-}" ]; then
		have "$CHROMIUM" || fail "CHROMIUM is $CHROMIUM, and no program is there."
		return
	fi
	for name in chromium chromium-browser google-chrome google-chrome-stable \
		'/Applications/Chromium.app/Contents/MacOS/Chromium' \
		'/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'; do
		have "$name" && return
	done
	case $(uname -s) in
	Darwin) fail "the browser tests need Chromium or Chrome. Install one with: brew install --cask google-chrome
      or set CHROMIUM to the path of one you have." ;;
	esac
	# Ubuntu's package called chromium installs a snap, which has no access to the
	# folders of the tests; CHROMIUM or google-chrome serve there.
	apt chromium fonts-dejavu-core && have chromium ||
		fail "the browser tests need Chromium or Chrome. On Debian: sudo apt-get install chromium
      elsewhere install Chrome, or set CHROMIUM to the path of one you have."
}

# The tests look in the same places: see redisstore/redistest.
need_redis() {
	if [ -n "${REDIS_SERVER:-}" ]; then
		have "$REDIS_SERVER" || fail "REDIS_SERVER is $REDIS_SERVER, and no program is there."
		return
	fi
	have redis-server && return
	case $(uname -s) in
	Darwin) fail "the tests of sessions in Redis need redis-server. Install it with: brew install redis
      or set REDIS_SERVER to the path of one you have, or of a valkey-server." ;;
	esac
	apt redis-server && have redis-server ||
		fail "the tests of sessions in Redis need redis-server. On Debian or Ubuntu: sudo apt-get install redis-server
      elsewhere install it, or set REDIS_SERVER to the path of one you have, or of a valkey-server."
}

test_module() {
	say "tests of $1"
	fresh=
	# Go does not see that a test builds and starts the program, and would show an old
	# result when only the program has changed.
	case $1 in *e2e*) fresh=-count=1 ;; esac
	(cd "$1" && go test -race $fresh ./...) || fail "the tests of $1 failed, see above."
}

need_compiler
case $(modules) in *e2e*) need_chromium ;; esac
case $(modules) in *redisstore* | *e2e* | *examples/cluster* | *bench*) need_redis ;; esac
each_module test_module
say "all tests passed"
