#!/bin/sh
# Checks the commits since this file was added, or those of a range: tools/commits.sh A..B.
# CONTRIBUTING.md has the rules.
. "$(dirname "$0")/common.sh"

if ! git rev-parse --git-dir >/dev/null 2>&1; then
	echo "no commit was looked at: this is no checkout of git"
	exit
fi
range=${1:-}
if [ -z "$range" ]; then
	# In a shallow clone the first commit seems to add every file, so the range begins there.
	base=$(git log --no-renames --diff-filter=A --format=%H -- tools/commits.sh | tail -n 1)
	if [ -z "$base" ]; then
		echo "no commit was looked at: tools/commits.sh is in none of them"
		exit
	fi
	range=$base..HEAD
fi

wrong() {
	found=yes
	printf '%s\n\t%s\n' "$(git log -1 --format='%h %s' "$commit")" "$1"
}

# is_folder reports whether the commit, or the one before it, has a folder of that name. The
# root package is "cognate", and "all" is for changes of many folders.
is_folder() {
	case $1 in all | cognate) return ;; esac
	[ "$(git cat-file -t "$commit:./$1" 2>/dev/null)" = tree ] ||
		[ "$(git cat-file -t "$commit^:./$1" 2>/dev/null)" = tree ]
}

check_subject() {
	subject=$(git log -1 --format=%s "$commit")
	[ ${#subject} -le 76 ] || wrong "its subject has more than 76 characters"
	case $subject in
	*.) wrong "its subject ends with a full stop" ;;
	*": "*) ;;
	*)
		wrong "its subject begins with no folder, as in userpool/oauth: what it does now"
		return
		;;
	esac
	for folder in $(printf '%s' "${subject%%: *}" | tr ',' ' '); do
		is_folder "$folder" || wrong "there is no folder $folder"
	done
}

# check_body requires a reason for a change of more than a few lines. Trailers don't count.
check_body() {
	lines=$(git show -M --numstat --format= "$commit" | awk '{ n += $1 + $2 } END { print n + 0 }')
	[ "$lines" -gt 20 ] || return 0
	git log -1 --format=%b "$commit" | grep -v '^[A-Z][A-Za-z-]*: ' | grep -q . ||
		wrong "it changes $lines lines, and no body says why"
}

found=
count=0
commits=$(git rev-list --reverse "$range") || fail "the range $range is unknown here, see above."
for commit in $commits; do
	count=$((count + 1))
	if git rev-parse -q --verify "$commit^2" >/dev/null; then
		wrong "it is a merge; rebase instead"
		continue
	fi
	check_subject
	check_body
done
[ -z "$found" ] || fail "the commits above don't follow CONTRIBUTING.md; fix them with git rebase -i."
if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
	echo "this clone is shallow: it shows the newest commits only"
fi
echo "commits looked at: $count"
