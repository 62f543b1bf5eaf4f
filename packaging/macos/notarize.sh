#!/bin/bash
# Has Apple notarise what is signed, and staples the ticket where one can be stapled. README.md, beside this file, says
# what can. Written for bash 3.2, which is what macOS has.
set -euo pipefail

readonly EXIT_DATA=65 EXIT_NO_INPUT=66 EXIT_UNAVAILABLE=69

usage() {
    echo "usage: notarize.sh PATH PROFILE" >&2
    echo "  PATH: an .app, .dmg or .pkg, or a folder, signed; PROFILE: of 'xcrun notarytool store-credentials'" >&2
    exit 64
}

fail() { # CODE WORD...
    local code=$1
    shift
    echo "notarize.sh: $*" >&2
    exit "$code"
}

# Prints the file to upload. Apple takes .dmg, .pkg and .zip; ditto packs all that a signature covers.
pack() {
    case $path in
    *.dmg | *.pkg) echo "$path" ;;
    *)
        ditto -c -k --keepParent "$path" "$scratch/upload.zip" || fail $? "ditto could not pack $path"
        echo "$scratch/upload.zip"
        ;;
    esac
}

field() { # NAME -> its value in notarytool's JSON
    sed -n "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/p" <<<"$submitted" | head -n 1
}

# FILE. notarytool may end with 0 for what Apple refuses: its answer says.
submit() {
    local code=0 id status
    submitted=$(xcrun notarytool submit "$1" --keychain-profile "$profile" --wait --output-format json) || code=$?
    id=$(field id)
    status=$(field status)
    [ "$status" != Accepted ] || return 0
    [ -n "$id" ] ||
        fail $((code ? code : EXIT_UNAVAILABLE)) "$path was not submitted: ${submitted:-notarytool said nothing}"
    echo "notarize.sh: Apple's log of $id names each file that is at fault:" >&2
    xcrun notarytool log "$id" --keychain-profile "$profile" >&2 || echo "notarize.sh: the log cannot be had" >&2
    fail $((code ? code : EXIT_DATA)) "$path was not accepted: ${status:-no status}"
}

staple() {
    case $path in
    *.app | *.dmg | *.pkg)
        xcrun stapler staple "$path" || fail $? "the ticket could not be stapled to $path"
        echo "notarised and stapled: $path"
        ;;
    *) echo "notarised: $path. A folder takes no ticket: staple the app, or the image, that it is shipped in." ;;
    esac
}

[ $# -eq 2 ] && [ -n "$1" ] && [ -n "$2" ] || usage
readonly path=${1%/} profile=$2
[ -e "$path" ] || fail $EXIT_NO_INPUT "$path does not exist."
command -v xcrun >/dev/null ||
    fail $EXIT_UNAVAILABLE "xcrun is not on PATH: run this on macOS, with Xcode's command line tools."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
upload=$(pack)
submit "$upload"
staple
