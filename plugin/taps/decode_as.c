/*
 * decode_as.c - Decode As for the built-in's tables ws.port and ws.protocol, which it registers
 * without: which dissector gets the messages of a server's port, or of a subprotocol. What can be
 * chosen is what payload.c knows. On the command line: -d ws.port==8080,mqtt.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "taps.h"
#include "writable.h"

#include <epan/decode_as.h>

static void label_port(packet_info *pinfo, char *result) {
    const struct wsx_session *session = wsx_taps_session(pinfo);
    snprintf(result, MAX_DECODE_AS_PROMPT_LEN, "WebSocket messages of server port %u as",
             session ? session->server.port : 0);
}

static void *value_port(packet_info *pinfo) {
    const struct wsx_session *session = wsx_taps_session(pinfo);
    return GUINT_TO_POINTER(session ? session->server.port : 0);
}

static void label_protocol(packet_info *pinfo, char *result) {
    const struct wsx_session *session = wsx_taps_session(pinfo);
    snprintf(result, MAX_DECODE_AS_PROMPT_LEN, "WebSocket messages of subprotocol %s as",
             session && session->subprotocol ? session->subprotocol : "(none)");
}

static void *value_protocol(packet_info *pinfo) {
    const struct wsx_session *session = wsx_taps_session(pinfo);
    return wsx_writable(session && session->subprotocol ? session->subprotocol : "");
}

void wsx_decode_as_register(void) {
    static build_valid_func port[] = {value_port}, protocol[] = {value_protocol};
    static decode_as_value_t ports[] = {{label_port, 1, port}},
                             protocols[] = {{label_protocol, 1, protocol}};
    static decode_as_t by_port = {"websocket",
                                  "ws.port",
                                  1,
                                  0,
                                  ports,
                                  NULL,
                                  NULL,
                                  decode_as_default_populate_list,
                                  decode_as_default_reset,
                                  decode_as_default_change,
                                  NULL},
                       by_protocol = {"websocket",
                                      "ws.protocol",
                                      1,
                                      0,
                                      protocols,
                                      NULL,
                                      NULL,
                                      decode_as_default_populate_list,
                                      decode_as_default_reset,
                                      decode_as_default_change,
                                      NULL};
    register_decode_as(&by_port);
    register_decode_as(&by_protocol);
}
