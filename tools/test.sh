#!/bin/sh
# Runs the tests of every module with the race detector. First it installs what they need:
# the C compiler, the browser, the Redis and PostgreSQL servers, and other people's clients.
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
	# Ubuntu's package chromium installs a snap, which can't access the folders of the
	# tests. There, set CHROMIUM or install google-chrome.
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

# The tests look in the same places: see node in e2e/clients.
need_node() {
	: "${NODE:=node}"
	have "$NODE" && have npm || apt nodejs npm && have "$NODE" && have npm ||
		fail "the tests with clients for Node need node and npm. On Debian or Ubuntu: sudo apt-get install nodejs npm
      elsewhere install Node.js, or set NODE to the path of the one you have."
	"$NODE" -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' ||
		fail "$NODE is $("$NODE" --version); the tests with clients for Node need 18 or newer."
	npm_packages e2e/clients/node
	npm_packages e2e/pages
}

# npm_packages FOLDER installs the packages of its package-lock.json. npm ci writes the second
# file last.
npm_packages() {
	[ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return
	say "installing the npm packages of $1"
	(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json) ||
		fail "npm could not install them, see above."
}

# The tests look in the same places: see findApache in e2e/clients.
need_apache() {
	[ -z "${APACHE:-}" ] || return 0
	[ -x /usr/sbin/apache2 ] && [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] ||
		apt apache2-bin libapache2-mod-auth-openidc ||
		fail "the tests with Apache need it and mod_auth_openidc. On Debian or Ubuntu:
      sudo apt-get install apache2-bin libapache2-mod-auth-openidc
      elsewhere install them, and set APACHE to the program and APACHE_MODULES to the folder of its modules."
}

# The tests look in the same places: see newNginx in e2e.
need_nginx() {
	[ -z "${NGINX:-}" ] || return 0
	[ -x /usr/sbin/nginx ] || apt nginx-light ||
		fail "the test of an app behind nginx needs it. On Debian or Ubuntu: sudo apt-get install nginx-light
      elsewhere install it, and set NGINX to the program."
}

# The tests look in the same places: see systemPython in e2e/clients.
need_authlib() {
	for python in ${PYTHON_AUTHLIB:-/usr/bin/python3 python3}; do
		"$python" -c 'import authlib, flask, requests' 2>/dev/null && return
	done
	[ -z "${PYTHON_AUTHLIB:-}" ] || fail "PYTHON_AUTHLIB is $PYTHON_AUTHLIB, which lacks authlib, flask or requests."
	apt python3-authlib python3-flask python3-requests ||
		fail "the tests with Authlib need it, Flask and Requests. On Debian or Ubuntu:
      sudo apt-get install python3-authlib python3-flask python3-requests
      elsewhere install them for a Python, and set PYTHON_AUTHLIB to its path."
}

# certutil changes Chromium's list of trusted authorities on Linux.
need_certutil() {
	[ "$(uname -s)" = Linux ] || return 0
	have certutil || apt libnss3-tools ||
		fail "the test of cognate trust needs certutil. On Debian or Ubuntu: sudo apt-get install libnss3-tools
      on Fedora: sudo dnf install nss-tools"
}

# The tests of containers run them in networks of their own.
need_iproute() {
	[ "$(uname -s)" = Linux ] || return 0
	have ip || [ -x /sbin/ip ] || apt iproute2 ||
		fail "the tests of containers need ip, of iproute2. On Debian or Ubuntu: sudo apt-get install iproute2
      on Fedora: sudo dnf install iproute"
}

# Software without a Debian package, or with an old one: flask-oidc, Django and its clients.
# The tests look in the same place: see venvPython in e2e/clients.
need_pip() {
	folder=e2e/clients/python
	cmp -s $folder/requirements.txt $folder/.venv/requirements.txt && return
	python3 -c 'import venv, ensurepip' 2>/dev/null || apt python3-venv ||
		fail "the tests with clients for Python need Python 3 and venv. On Debian or Ubuntu: sudo apt-get install python3-venv
      elsewhere install Python 3.11 or newer."
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
		fail "python3 is $(python3 --version); the tests with clients for Python need 3.11 or newer."
	say "installing the Python packages of $folder"
	python3 -m venv --clear $folder/.venv &&
		$folder/.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $folder/requirements.txt &&
		cp $folder/requirements.txt $folder/.venv/ ||
		fail "pip could not install them, see above."
}

# The tests look in the same places: see cmd/cognate/internal/sqlstore/pgtest.
need_postgres() {
	if [ -n "${POSTGRES_BIN:-}" ]; then
		have "$POSTGRES_BIN/initdb" || fail "POSTGRES_BIN is $POSTGRES_BIN, and no program initdb is there."
		return
	fi
	found_postgres && return
	case $(uname -s) in
	Darwin) fail "the tests of the pool's data in PostgreSQL need it. Install it with: brew install postgresql
      or set POSTGRES_BIN to the folder of the programs you have." ;;
	esac
	apt postgresql && found_postgres ||
		fail "the tests of the pool's data in PostgreSQL need it. On Debian or Ubuntu: sudo apt-get install postgresql
      elsewhere install it, or set POSTGRES_BIN to the folder of the programs you have."
}

found_postgres() {
	have initdb && have postgres && return
	for program in /usr/lib/postgresql/*/bin/initdb; do
		have "$program" && return
	done
	return 1
}

test_module() {
	say "tests of $1"
	fresh=
	# Go does not know that a test builds and starts the program, and would show an old
	# result if only the program has changed.
	case $1 in *e2e*) fresh=-count=1 ;; esac
	# Go does not cache the result of a wrapped test, so only new machines check for output.
	silent=${CI:+"-exec='$PWD/tools/silent.sh'"}
	rm -f "$lost"
	# The first command of a pipe can report its status only through a file. A busy machine can
	# exceed Go's own limit of ten minutes for a package: some take a minute on an idle one.
	{ (cd "$1" && go test -race -timeout 60m $fresh ${silent:+"$silent"} ./... 2>&1) || : >"$lost"; } |
		awk -v failures="$failures" '
			/^\?.*\[no test files\]$/ { next }
			{ print; fflush() }
			/^--- FAIL: / || /^FAIL\t/ { print "  " $0 >>failures }'
	[ ! -e "$lost" ] && count_allocations "$1"
}

# count_allocations runs the tests that the race detector would distort. They stand in files
# that are left out with it.
count_allocations() {
	packages=$(cd "$1" && go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./... |
		while read -r dir; do
			! grep -q '^//go:build !race' "$dir"/*_test.go || printf '%s\n' "$dir"
		done)
	[ -n "$packages" ] || return 0
	(cd "$1" && go test -run 'Allocations$' $packages)
}

notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT
lost=$notes/lost failures=$notes/failures
: >"$failures"

need_compiler
case $(modules) in *e2e*)
	need_chromium
	need_certutil
	need_iproute
	need_node
	need_apache
	need_nginx
	need_authlib
	need_pip
	;;
esac
case $(modules) in *redisstore* | *e2e* | *examples/cluster* | *bench*) need_redis ;; esac
case $(modules) in *cmd/cognate*) need_postgres ;; esac
each_module test_module
[ -z "$failed" ] || fail "tests failed, see above, in:$failed
$(cat "$failures")"
say "all tests passed"
