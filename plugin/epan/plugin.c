/*
 * plugin.c - the symbols that Wireshark looks for, and the order of registration. Wiring only.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "apps/apps.h"
#include "compat.h"
#include "delivery.h"
#include "evidence.h"
#include "fields.h"
#include "show.h"
#include "state.h"
#include "taps/json.h"
#include "taps/taps.h"
#include "transport.h"

#include <wsutil/report_message.h>

WS_DLL_PUBLIC_DEF const char plugin_version[] = PLUGIN_VERSION;
WS_DLL_PUBLIC_DEF const int plugin_want_major = WANT_MAJOR;
WS_DLL_PUBLIC_DEF const int plugin_want_minor = WANT_MINOR;
WS_DLL_PUBLIC void plugin_register(void);
WS_DLL_PUBLIC uint32_t plugin_describe(void);

/* Findings are switched by groups. */
static void register_rule_groups(module_t *module) {
    static const struct {
        const char *name, *title, *description;
    } groups[WSX_GROUP_COUNT] = {
        [WSX_GROUP_HANDSHAKE] = {"check_handshake", "Check the opening handshake",
                                 "Findings about requests, answers and what they agree on"},
        [WSX_GROUP_FRAME] = {"check_frames", "Check frames",
                             "Findings about masking, reserved bits, opcodes and lengths"},
        [WSX_GROUP_MESSAGE] = {"check_messages", "Check messages",
                               "Findings about UTF-8 and unfinished messages"},
        [WSX_GROUP_CLOSE] = {"check_close", "Check Close, Ping and Pong",
                             "Findings about the closing handshake and about answers"},
        [WSX_GROUP_DEFLATE] = {"check_deflate", "Check compression",
                               "Findings about permessage-deflate"},
        [WSX_GROUP_SECURITY] = {"check_security", "Security notes",
                                "Findings about what RFC 6455 section 10 says: credentials, "
                                "origin, masking keys"},
    };
    for (int i = 0; i < WSX_GROUP_COUNT; i++)
        prefs_register_bool_preference(module, groups[i].name, groups[i].title,
                                       groups[i].description, (void *)&wsx_group_enabled[i]);
}

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
        "Of a longer message, before decompression, the beginning is shown", 10,
        &wsx_limit_message_mib);
    prefs_register_uint_preference(
        module, "limit_inflated", "Bytes kept of a decompressed message (MiB)",
        "Of a compressed message that is longer, the beginning is shown; the rest is inflated for "
        "the sake of later messages, up to 1 GiB; 0 sets no limit below that",
        10, &wsx_limit_inflated_mib);
    prefs_register_uint_preference(
        module, "limit_total", "Bytes kept of the whole file (MiB)",
        "What later passes need of frames that lie in several packets, and of messages; over it, "
        "messages are cut",
        10, &wsx_limit_total_mib);
    prefs_register_uint_preference(
        module, "limit_ratio", "Compression ratio at most",
        "A message that inflates to more than 64 MiB and to more than so many times its size is "
        "stopped there; 0 sets no limit",
        10, &wsx_limit_ratio);
    prefs_register_uint_preference(module, "frames_drawn", "Frames drawn of a packet",
                                   "Of a packet with more frames, the rest is only counted", 10,
                                   &wsx_frames_drawn);
    prefs_register_bool_preference(
        module, "redact", "Hide credentials in what is exported",
        "In JSON Lines and HTTP Archives, write \"(hidden)\" for the values of handshakes that "
        "look "
        "like credentials: query parameters and subprotocols such as token or api_key, and tokens "
        "by their shape. Messages are not searched",
        (void *)&wsx_redact);
    register_rule_groups(module);
    wsx_payload_register(module);
}

/* Wireshark ends its program when a name is registered twice, so a plugin that can't have its names
 * registers nothing and says why. */
static bool refused;

static bool can_register(void) {
    static const char *const names[] = {"engineio",   "graphql", "jsonids", "jsonrpc",
                                        "kubernetes", "ocpp",    "signalr", "socketio",
                                        "sockjs",     "stomp",   "wamp"};
    if (proto_get_id_by_filter_name("websocket") <= 0) {
        report_failure("wsx is not used: this Wireshark has no WebSocket dissector to improve");
        return false;
    }
    if (proto_get_id_by_filter_name("wsx.app") > 0) {
        report_failure("One copy of wsx is not used: another one, with another file name, was "
                       "loaded before it");
        return false;
    }
    for (size_t i = 0; i < array_length(names); i++) {
        if (proto_get_id_by_filter_name(names[i]) <= 0)
            continue;
        report_failure("wsx is not used: Wireshark or another plugin already has a protocol \"%s\"",
                       names[i]);
        return false;
    }
    return true;
}

static void register_all(void) {
    refused = !can_register();
    if (refused)
        return;
    wsx_proto = proto_get_id_by_filter_name("websocket");
    wsx_fields_register();
    wsx_state_register();
    wsx_evidence_register();
    wsx_apps_register();
    wsx_delivery_register();
    register_preferences();
    wsx_transport_register();
    wsx_tap_messages_register();
    wsx_tap_check_register();
    wsx_tap_follow_register();
    wsx_tap_tree_register();
    wsx_tap_connections_register();
    wsx_tap_conversations_register();
    wsx_tap_srt_register();
    wsx_tap_har_register();
    wsx_tap_objects_register(wsx_proto);
    wsx_tap_pdus_register();
    wsx_tap_flow_register(wsx_proto);
    wsx_decode_as_register();
}

static void handoff_all(void) {
    if (refused)
        return;
    wsx_fields_adopt();
    wsx_transport_handoff();
    wsx_payload_handoff();
    wsx_apps_handoff();
}

void plugin_register(void) {
    static proto_plugin plugin = {.register_protoinfo = register_all,
                                  .register_handoff = handoff_all};
    proto_register_plugin(&plugin);
}

uint32_t plugin_describe(void) { return 1; /* WS_PLUGIN_DESC_DISSECTOR */ }
