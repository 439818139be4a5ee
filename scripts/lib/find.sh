# shellcheck shell=bash
# Finds what the tests run beside them. Sourced from the top folder of the repository by the scripts next door.

# axe-core checks the accessibility of pages. One pinned version; its archive must have this SHA-512.
axe_version=4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
axe_file=$PWD/.cache/axe-core-$axe_version/axe.min.js

has() { command -v "$1" >/dev/null 2>&1; }

# The folder with initdb, postgres and pg_ctl: the newest of Debian's, or else that in PATH.
find_postgres() {
	local folder found=
	for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V); do
		[ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && found=$folder
	done
	if [ -z "$found" ] && has initdb && has postgres && has pg_ctl; then found=$(dirname "$(command -v initdb)"); fi
	printf '%s' "$found"
}

find_chromium() {
	local name
	for name in chromium chromium-browser google-chrome-stable google-chrome; do
		if has "$name"; then command -v "$name"; return; fi
	done
}

has_font() {
	[ -n "$(find -L /usr/share/fonts /usr/local/share/fonts "${HOME:-/root}/.fonts" "${HOME:-/root}/.local/share/fonts" \
		\( -name '*.ttf' -o -name '*.otf' -o -name '*.ttc' \) -print -quit 2>/dev/null)" ]
}

# Fetches axe-core through npm into .cache, once.
fetch_axe() {
	[ -s "$axe_file" ] && return
	local into archive
	into=$(mktemp -d)
	mkdir -p .cache
	if ! (cd "$into" && npm pack --silent "axe-core@$axe_version" >/dev/null); then
		rm -rf "$into"
		echo "npm could not fetch axe-core@$axe_version; the accessibility tests need it. Is the npm registry reachable?" >&2
		return 1
	fi
	archive=$into/axe-core-$axe_version.tgz
	if ! echo "$axe_sha512  $archive" | sha512sum --check --status; then
		rm -rf "$into"
		echo "axe-core@$axe_version from npm is not the archive that scripts/lib/find.sh expects. Nothing of it was used." >&2
		return 1
	fi
	tar -xzf "$archive" -C "$into" package/axe.min.js
	mkdir -p "$(dirname "$axe_file")"
	mv "$into/package/axe.min.js" "$axe_file"
	rm -rf "$into"
}
