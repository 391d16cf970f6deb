# Shared by the scripts in this folder and by .ci/run. They run from the top of the
# repository.
# Written for any POSIX shell.

set -eu
cd "$(dirname "$0")/.."
unset GOWORK # the scripts use go.work

# say prints a heading, in bold on a terminal.
say() {
	if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi
}

# fail ends the script with one sentence.
fail() {
	printf '\nmake: %s\n' "$*" >&2
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# modules lists the folders of $MODULES or, without it, of every module in go.work.
modules() {
	if [ -n "${MODULES:-}" ]; then
		printf '%s\n' $MODULES
		return
	fi
	# Relative, so that a heading is ./e2e in every clone.
	go list -m -f '{{.Dir}}' | while read -r dir; do
		printf '.%s\n' "${dir#"$PWD"}"
	done
}

# each_module runs a function with every module's folder, one after the other, even if it
# returns false for some of them. Those are in $failed afterwards.
each_module() {
	list=$(modules) || fail "go.work does not load, see above."
	[ -n "$list" ] || fail "go.work names no module."
	failed=
	# Some shells would continue with the next module after Ctrl-C has ended a command.
	trap 'exit 130' INT
	for module in $list; do
		[ -d "$module" ] || fail "there is no folder $module."
		"$1" "$module" || failed="$failed $module"
	done
	trap - INT
}

# apt installs Debian packages, as root or with a sudo that needs no password.
# It returns false if this machine has no apt, or does not permit it.
apt() {
	have apt-get || return 1
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		have sudo && sudo -n true 2>/dev/null || return 1
		sudo='sudo -n'
	fi
	say "installing $*"
	# A new machine has no package lists yet, so the first attempt may fail.
	apt_install "$@" >/dev/null 2>&1 ||
		{ $sudo apt-get update -qq && apt_install "$@"; }
}

apt_install() {
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null
}
