# shellcheck shell=bash disable=SC2034
# What the scripts need, and how they get it. To be sourced; the functions print what they do.
#
# SPDX-License-Identifier: GPL-2.0-or-later

# Debian's names. sharkd is in wireshark-common, setpriv in util-linux (always there).
WSX_PACKAGES=(cmake gcc libc6-dev libglib2.0-dev libwireshark-dev libwiretap-dev libwsutil-dev
    ninja-build pkg-config python3 tshark valgrind wireshark-common wireshark-dev
    zlib1g-dev)
# What the whole ./check needs beside them: the guides' commands, and what makes the package.
WSX_CHECK_PACKAGES=(dpkg-dev file jq parallel)
WSX_DUCKDB_NPM=@duckdb/node-api@1.5.6-r.1

say() { printf '\n== %s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Packages of the arguments that are not installed.
missing_packages() {
    local name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
    done
}

# Installs those of the arguments that are missing; asks nobody anything.
install_packages() {
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "not a Debian system: make sure that these, or what they are called here, are installed: $*"
        return 0
    fi
    local missing become=()
    # Not from a process substitution: those need /proc, which a bare tree has not.
    read -ra missing <<<"$(missing_packages "$@" | tr '\n' ' ')"
    if [ ${#missing[@]} = 0 ]; then
        echo "all packages are there"
        return 0
    fi
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "missing, and this is neither root nor is there sudo: ${missing[*]}"
        become=(sudo)
    fi
    echo "installing ${missing[*]}"
    local log
    log=$(mktemp)
    # A machine or a tree that was set up long ago has release files that have run out. A foreign
    # source that does not answer is no reason to stop: what can't be installed shows that. Another
    # apt-get, as a fresh machine starts by itself, is waited for.
    if ! { "${become[@]}" apt-get -o Acquire::Check-Valid-Until=false update || true
        "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
            install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install ${missing[*]}"
    fi
    rm -f "$log"
}

# DuckDB for the guides' queries, from the npm registry: once, into the user's cache. Without it their
# tests say that they are left out.
install_duckdb() {
    local folder=${WSX_DUCKDB:-${XDG_CACHE_HOME:-$HOME/.cache}/wsx-duckdb}
    if [ -d "$folder/node_modules/@duckdb/node-api" ]; then
        echo "DuckDB is there"
    elif ! command -v npm >/dev/null; then
        echo "no npm: the queries of docs/many.md are left out"
    elif timeout 180 npm install --silent --no-audit --no-fund --no-save --prefix "$folder" \
        "$WSX_DUCKDB_NPM" >/dev/null 2>&1; then
        echo "installed $WSX_DUCKDB_NPM"
    else
        rm -rf "$folder/node_modules"
        echo "npm could not install $WSX_DUCKDB_NPM: the queries of docs/many.md are left out"
    fi
}

# build SOURCE CMAKE-OPTION...  builds everything; sets and exports WSX_BUILD, the build folder.
# It is SOURCE/build, or where that can't be written, a folder in the user's cache.
build() {
    local source=$1
    shift
    if [ -z "${WSX_BUILD:-}" ]; then
        WSX_BUILD=$source/build
        if ! mkdir -p "$WSX_BUILD" 2>/dev/null || [ ! -w "$WSX_BUILD" ] ||
            { [ -e "$WSX_BUILD/CMakeCache.txt" ] && [ ! -w "$WSX_BUILD/CMakeCache.txt" ]; }; then
            WSX_BUILD=${XDG_CACHE_HOME:-$HOME/.cache}/wsx-build
            mkdir -p "$WSX_BUILD"
        fi
    fi
    export WSX_BUILD
    # A build folder that came along with a copied source tree can't be used.
    if [ -e "$WSX_BUILD/CMakeCache.txt" ] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source" "$WSX_BUILD/CMakeCache.txt"; then
        rm -rf "$WSX_BUILD/CMakeCache.txt" "$WSX_BUILD/CMakeFiles"
    fi
    local generator=()
    if [ ! -e "$WSX_BUILD/CMakeCache.txt" ] && command -v ninja >/dev/null; then
        generator=(-G Ninja)
    fi
    echo "building in $WSX_BUILD"
    local log=$WSX_BUILD/configure.log
    if ! cmake -S "$source" -B "$WSX_BUILD" "${generator[@]}" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        die "cmake failed"
    fi
    log=$WSX_BUILD/build.log
    if ! cmake --build "$WSX_BUILD" --parallel "$(nproc)" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        die "the build failed"
    fi
    # Warnings are for the reader, even where they are not errors.
    grep -E 'warning:' "$log" || true
    [ -e "$WSX_BUILD/wsx.so" ] || die "the build made no wsx.so"
}
