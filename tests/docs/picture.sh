#!/usr/bin/env bash
# picture.sh [PICTURE]: take docs/wireshark.png again: Wireshark with wsx loaded, on a screen that nobody
# sees, with a compressed message of a browser unfolded. Needs Debian's packages
#   wireshark xvfb openbox xdotool imagemagick fonts-dejavu-core
# and what ./check builds. Run it after the packet list or the tree have changed, and look at the result.
#
# SPDX-License-Identifier: GPL-2.0-or-later
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
picture=${1:-$here/docs/wireshark.png}
plugin=${WSX_BUILD:-$here/build}/wsx.so
capture=$here/sample-captures/chromium_wss.pcapng
packet=202
filter='websocket.stream == 3'
width=1100 height=1170
# The line "WebSocket" in the packet's tree, which is unfolded, and the message's text, which is selected:
# its bytes are those shown below the tree.
line_x=150 line_y=384 text_y=927

work=$(mktemp -d)
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

version=$(tshark --version | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\)\..*/\1/p')
mkdir -p "$work/plugins/$version/epan" "$work/home/.config/wireshark" "$work/run"
cp "$plugin" "$work/plugins/$version/epan/wsx.so"
cp "$capture" "$work/capture.pcapng"

# What is not about wsx is switched off.
cat >"$work/home/.config/wireshark/preferences" <<EOF
gui.font.name: DejaVu Sans Mono,9,-1,5,50,0,0,0,0,0
gui.layout_type: 1
gui.update.enabled: FALSE
gui.ask_unsaved: FALSE
gui.column.format: "No.", "%m", "Time", "%t", "Protocol", "%p", "Length", "%L", "Info", "%i"
gui.packet_list_show_minimap: FALSE
EOF
cat >"$work/home/.config/wireshark/recent" <<EOF
gui.toolbar_main_show: FALSE
gui.wireless_toolbar_show: FALSE
gui.statusbar_show: TRUE
gui.geometry_main_x: 0
gui.geometry_main_y: 0
gui.geometry_main_width: $width
gui.geometry_main_height: $height
gui.geometry_main_maximized: FALSE
gui.geometry_main_upper_pane: 228
gui.geometry_main_lower_pane: 695
gui.state_dissector_details_maximized: FALSE
column.width: %m, 60, %t, 110, %p, 130, %L, 70, %i, 690
EOF
chmod 700 "$work/run"

become=()
if [ "$(id -u)" = 0 ]; then
    chown -R 65534:65534 "$work"
    chmod 755 "$work"
    become=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi

display=:$((70 + RANDOM % 20))
Xvfb "$display" -screen 0 "${width}x${height}x24" -nolisten tcp >/dev/null 2>&1 &
pids+=($!)
export DISPLAY=$display
for _ in $(seq 50); do xdotool getdisplaygeometry >/dev/null 2>&1 && break; sleep 0.1; done

"${become[@]}" env -i PATH="$PATH" HOME="$work/home" XDG_RUNTIME_DIR="$work/run" DISPLAY="$display" TZ=UTC \
    LC_ALL=C.UTF-8 WIRESHARK_PLUGIN_DIR="$work/plugins" QT_X11_NO_MITSHM=1 \
    wireshark -r "$work/capture.pcapng" -Y "$filter" -g "$packet" >"$work/log" 2>&1 &
pids+=($!)
sleep "${WSX_PICTURE_WAIT:-12}"
# Shift and the right arrow unfold a line and all below it.
xdotool mousemove $line_x $line_y click 1 sleep 1 key shift+Right sleep 1 \
    mousemove $line_x $text_y click 1 sleep 1 mousemove $((width - 1)) $((height - 1)) sleep 1
import -window root +dither -colors 64 "PNG8:$picture"
