/*
 * tokens.c - tokens, comma lists and the texts of findings. Judges nothing; read negotiate.c next.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tokens.h"

#include "credentials.h"

#include <stdarg.h>
#include <string.h>

/* Above the 400 bytes that wsx_report keeps; only there to end the collecting. */
#define DETAIL_ENOUGH 600u

bool wsx_is_blank(char byte) { return byte == ' ' || byte == '\t'; }

bool wsx_is_token_char(char byte) {
    return g_ascii_isalnum(byte) || (byte && strchr("!#$%&'*+-.^_`|~", byte));
}

bool wsx_is_token(struct wsx_slice text) {
    for (size_t i = 0; i < text.length; i++)
        if (!wsx_is_token_char(text.at[i]))
            return false;
    return text.length > 0;
}

struct wsx_slice wsx_slice_of(const char *text) {
    return (struct wsx_slice){text, text ? strlen(text) : 0};
}

struct wsx_slice wsx_trim(struct wsx_slice text) {
    while (text.length && wsx_is_blank(text.at[0])) {
        text.at++;
        text.length--;
    }
    while (text.length && wsx_is_blank(text.at[text.length - 1]))
        text.length--;
    return text;
}

bool wsx_slice_is(struct wsx_slice text, const char *word) {
    return text.length == strlen(word) && (!text.length || !memcmp(text.at, word, text.length));
}

bool wsx_slice_is_nocase(struct wsx_slice text, const char *word) {
    for (size_t i = 0; i < text.length; i++) {
        if (!word[i]) /* the word ends; the text may hold such a byte itself */
            return false;
        if (text.at[i] != word[i] && g_ascii_tolower(text.at[i]) != g_ascii_tolower(word[i]))
            return false;
    }
    return word[text.length] == '\0';
}

bool wsx_list_next(struct wsx_slice *rest, struct wsx_slice *element) {
    while (rest->length) {
        const char *comma = memchr(rest->at, ',', rest->length);
        size_t length = comma ? (size_t)(comma - rest->at) : rest->length;
        size_t taken = comma ? length + 1 : length;
        *element = wsx_trim((struct wsx_slice){rest->at, length});
        rest->at += taken;
        rest->length -= taken;
        if (element->length)
            return true;
    }
    return false;
}

size_t wsx_list_count(const char *list) {
    struct wsx_slice rest = wsx_slice_of(list), element;
    size_t count = 0;
    while (wsx_list_next(&rest, &element))
        count++;
    return count;
}

static bool is_word_char(char byte) { return g_ascii_isalnum(byte) || byte == '-' || byte == '_'; }

/* Bytes of the JWT-shaped word at the start of the text, 0 when there is none. */
static size_t jwt_length(struct wsx_slice text) {
    size_t length = 0;
    while (length < text.length && (is_word_char(text.at[length]) || text.at[length] == '.'))
        length++;
    return wsx_credential_is_jwt((struct wsx_slice){text.at, length}) ? length : 0;
}

const char *wsx_show(struct wsx_shown *shown, struct wsx_slice value) {
    size_t used = 0;
    for (size_t i = 0, taken; i < value.length; i += taken) {
        const char *at = value.at + i, *show;
        struct wsx_slice rest = {at, value.length - i};
        size_t step;
        bool begins = *at == 'e' && (i == 0 || !is_word_char(at[-1]));
        if (begins && (taken = jwt_length(rest)) != 0) {
            show = "(hidden)";
            step = strlen(show);
        } else {
            gunichar character = g_utf8_get_char_validated(at, (gssize)rest.length);
            /* U+0000 and bad bytes come back as 0 and as the two highest values. */
            bool good = character && character < 0x110000;
            step = taken = good ? (size_t)g_unichar_to_utf8(character, NULL) : 1;
            show = good ? at : "?";
        }
        if (used + step > WSX_SHOWN_MAX) {
            memcpy(shown->text + used, "...", 4);
            return shown->text;
        }
        memcpy(shown->text + used, show, step);
        used += step;
    }
    shown->text[used] = '\0';
    return shown->text;
}

void wsx_detail_add(GString **detail, const char *format, ...) {
    if (!*detail)
        *detail = g_string_new(NULL);
    if ((*detail)->len > DETAIL_ENOUGH)
        return;
    if ((*detail)->len)
        g_string_append(*detail, "; ");
    va_list arguments;
    va_start(arguments, format);
    g_string_append_vprintf(*detail, format, arguments);
    va_end(arguments);
}

void wsx_detail_report(GString **detail, const struct wsx_finding_sink *sink, enum wsx_rule rule,
                       uint32_t packet) {
    if (!*detail)
        return;
    wsx_report(sink, rule, packet, "%s", (*detail)->str);
    g_string_free(*detail, TRUE);
    *detail = NULL;
}

void wsx_detail_drop(GString **detail) {
    if (*detail)
        g_string_free(*detail, TRUE);
    *detail = NULL;
}
