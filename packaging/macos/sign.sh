#!/bin/bash
# Signs a folder made by packaging/build.py, from the inside out. README.md, beside this file, says why each option
# is there. Written for bash 3.2, which is what macOS has.
set -euo pipefail

readonly EXIT_DATA=65 EXIT_NO_INPUT=66 EXIT_UNAVAILABLE=69

usage() {
    echo "usage: sign.sh BUNDLE IDENTITY" >&2
    echo "  IDENTITY: a name from 'security find-identity -v -p codesigning', or - for ad hoc" >&2
    exit 64
}

fail() { # CODE WORD...
    local code=$1
    shift
    echo "sign.sh: $*" >&2
    exit "$code"
}

check_tools() {
    command -v codesign >/dev/null ||
        fail $EXIT_UNAVAILABLE "codesign is not on PATH: run this on macOS, with Xcode's command line tools."
}

# codesign takes a framework's binary for the whole framework, and one without its symbolic links for a broken one.
check_frameworks() {
    local framework
    framework=$(find "$bundle" -type d -name '*.framework' -print)
    [ -z "$framework" ] ||
        fail $EXIT_DATA "$framework: a framework cannot be signed in a folder without symbolic links." \
            "Build with a Python that has a libpython3.x.dylib instead, as pyenv's (--enable-shared) and uv's have."
}

# FOLDER FIND-OPTION... -> "DEPTH PATH" lines. Symbolic links are left out: what they name is signed in its own place.
list_mach_o() {
    find "$@" -type f -print | while IFS= read -r path; do
        kind=$(file -b "$path") || fail $? "file could not tell what $path is"
        slashes=${path//[!\/]/}
        case $kind in Mach-O*) printf '%s %s\n' ${#slashes} "$path" ;; esac
    done
}

find_executable() {
    executable=$(list_mach_o "$bundle" -maxdepth 1 | cut -d' ' -f2-)
    [ -n "$executable" ] ||
        fail $EXIT_NO_INPUT "$bundle has no Mach-O file at its top: give the folder that holds the executable."
    [ "$(wc -l <<<"$executable")" -eq 1 ] ||
        fail $EXIT_DATA "$bundle has more than one Mach-O file at its top, where only the executable is expected:" \
            "$executable"
}

sign() { # PATH OPTION...
    local path=$1
    shift
    echo "signing $path"
    codesign --force --sign "$identity" "$@" "$path" || fail $? "codesign could not sign $path"
    codesign --verify --strict "$path" || fail $? "the signature of $path does not hold"
}

[ $# -eq 2 ] && [ -n "$1" ] && [ -n "$2" ] || usage
[ -d "$1" ] || fail $EXIT_NO_INPUT "$1 is not a folder: give the one that packaging/build.py has made."
bundle=$(CDPATH='' cd -- "$1" && pwd)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
readonly bundle here identity=$2
check_tools
check_frameworks
find_executable

if [ "$identity" = - ]; then
    # The hardened runtime validates libraries: it refuses those without a team, and ad hoc signatures name none.
    options=(--timestamp=none)
else
    options=(--options runtime --timestamp)
fi

libraries=$(list_mach_o "$bundle" -mindepth 2 | sort -k1,1nr -k2 | cut -d' ' -f2-)
while IFS= read -r library <&3; do
    [ -z "$library" ] || sign "$library" "${options[@]}"
done 3<<<"$libraries"
sign "$executable" "${options[@]}" --entitlements "$here/entitlements.plist"
echo "signed and verified: $bundle"
