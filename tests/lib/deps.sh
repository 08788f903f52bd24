# deps.sh - installs what building and testing needs, and only if something is missing. Sourced by try and check.
# SPDX-License-Identifier: GPL-2.0-or-later
wsx_packages="gcc libc6-dev cmake ninja-build pkg-config tshark wireshark-common libwireshark-dev libwiretap-dev libwsutil-dev libglib2.0-dev zlib1g-dev python3 util-linux"

wsx_install_missing() {
    local missing="" package
    for package in $wsx_packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    echo "== installing:$missing"
    local run=""
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "cannot install without root or sudo:$missing" >&2; return 1; }
        run=sudo
    fi
    $run apt-get -q update
    # shellcheck disable=SC2086
    $run env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
}
