/*
 * plugin.c - the symbols that Wireshark looks for, and the order of registration. Wiring only.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "compat.h"
#include "fields.h"
#include "show.h"
#include "state.h"
#include "taps/taps.h"
#include "transport.h"

WS_DLL_PUBLIC_DEF const char plugin_version[] = PLUGIN_VERSION;
WS_DLL_PUBLIC_DEF const int plugin_want_major = WANT_MAJOR;
WS_DLL_PUBLIC_DEF const int plugin_want_minor = WANT_MINOR;
WS_DLL_PUBLIC void plugin_register(void);
WS_DLL_PUBLIC uint32_t plugin_describe(void);

static void register_preferences(void) {
    module_t *module = prefs_find_module("websocket");
    prefs_register_bool_preference(
        module, "enhanced", "Use wsx",
        "Dissect with wsx; off hands every packet back to the built-in dissector",
        (void *)&wsx_enhanced);
    prefs_register_bool_preference(
        module, "json_by_sight", "Show JSON messages as JSON",
        "Hand text messages that are a JSON object or array to the JSON dissector",
        (void *)&wsx_json_by_sight);
    prefs_register_uint_preference(module, "limit_frame", "Bytes kept of a frame (MiB)",
                                   "Of a longer frame the beginning is kept and the rest skipped",
                                   10, &wsx_limit_frame_mib);
    prefs_register_uint_preference(
        module, "limit_message", "Bytes kept of a message (MiB)",
        "Of a longer message, after decompression, the beginning is shown", 10,
        &wsx_limit_message_mib);
}

static void register_all(void) {
    wsx_proto = proto_get_id_by_filter_name("websocket");
    wsx_fields_register();
    wsx_state_register();
    register_preferences();
    wsx_transport_register();
    wsx_tap_messages_register();
}

static void handoff_all(void) {
    wsx_fields_adopt();
    wsx_transport_handoff();
    wsx_payload_handoff();
}

void plugin_register(void) {
    static proto_plugin plugin = {.register_protoinfo = register_all,
                                  .register_handoff = handoff_all};
    proto_register_plugin(&plugin);
}

uint32_t plugin_describe(void) { return 1; /* WS_PLUGIN_DESC_DISSECTOR */ }
