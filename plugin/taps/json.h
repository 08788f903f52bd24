/*
 * json.h - JSON text, for the taps that write it: strings, numbers, times. Knows nothing of
 * WebSocket but what websocket.redact hides.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TAPS_JSON_H
#define WSX_TAPS_JSON_H

#include "epan/state.h"

/* Preference websocket.redact. */
extern wsx_bool wsx_redact;

/* A string of valid UTF-8, with its quotes. */
void wsx_put_string(GString *out, const char *text, size_t length);
/* The same of any bytes: what is no UTF-8 becomes U+FFFD. */
void wsx_put_text(GString *out, const char *text);
/* Bytes as base64, with quotes. */
void wsx_put_base64(GString *out, const uint8_t *bytes, size_t length);
/* Nanoseconds as seconds, with so many decimal digits (0 to 9), cut and not rounded. */
void wsx_put_seconds(GString *out, int64_t ns, int digits);

/* A URI, or a list of subprotocols, as it may be written: without credentials when the preference
 * says so. `offered` is what a server chose from, else NULL. For g_free; NULL for NULL. */
char *wsx_told_uri(const char *uri);
char *wsx_told_subprotocols(const char *list, const char *offered);

#endif
