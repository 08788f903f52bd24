/*
 * json.c - JSON text, see json.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "json.h"

#include "credentials.h"

wsx_bool wsx_redact = FALSE;

/* Characters that JSON allows as they are, and that end a line for some readers (U+0085, U+2028,
 * U+2029) or command a terminal (C1 controls). Their code, 0 for all others; *size: their bytes. */
static unsigned troublesome(const unsigned char *at, size_t left, size_t *size) {
    if (at[0] == 0xC2 && left > 1 && at[1] < 0xA0) {
        *size = 2;
        return at[1];
    }
    if (at[0] == 0xE2 && left > 2 && at[1] == 0x80 && (at[2] == 0xA8 || at[2] == 0xA9)) {
        *size = 3;
        return 0x2000u + at[2] - 0x80u;
    }
    return 0;
}

void wsx_put_string(GString *out, const char *text, size_t length) {
    g_string_append_c(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        size_t size;
        unsigned code =
            c >= 0xC2 ? troublesome((const unsigned char *)text + i, length - i, &size) : 0;
        if (code) {
            g_string_append_printf(out, "\\u%04x", code);
            i += size - 1;
            continue;
        }
        if (c == '"' || c == '\\')
            g_string_append_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_c(out, (char)c);
    }
    g_string_append_c(out, '"');
}

void wsx_put_text(GString *out, const char *text) {
    if (g_utf8_validate(text, -1, NULL)) {
        wsx_put_string(out, text, strlen(text));
        return;
    }
    char *valid = g_utf8_make_valid(text, -1);
    wsx_put_string(out, valid, strlen(valid));
    g_free(valid);
}

void wsx_put_base64(GString *out, const uint8_t *bytes, size_t length) {
    char *text = g_base64_encode(bytes, length);
    g_string_append_c(out, '"');
    g_string_append(out, text);
    g_string_append_c(out, '"');
    g_free(text);
}

void wsx_put_seconds(GString *out, int64_t ns, int digits) {
    char fraction[16];
    /* negative: before 1970, or an answer with an earlier time stamp than what it answers */
    uint64_t apart = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    g_snprintf(fraction, sizeof fraction, "%09u", (unsigned)(apart % 1000000000));
    g_string_append_printf(out, "%s%" G_GUINT64_FORMAT, ns < 0 ? "-" : "", apart / 1000000000);
    if (digits)
        g_string_append_printf(out, ".%.*s", digits, fraction);
}

char *wsx_told_uri(const char *uri) { return wsx_redact ? wsx_redact_uri(uri) : g_strdup(uri); }

char *wsx_told_subprotocols(const char *list, const char *offered) {
    return wsx_redact ? wsx_redact_subprotocols(list, offered) : g_strdup(list);
}
