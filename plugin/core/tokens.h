/*
 * tokens.h - what the handshake's files share: tokens and comma lists of HTTP (RFC 2616 2.1, 2.2,
 * RFC 9110 5.6), and header values made fit for the text of a finding. Judges nothing; see
 * extensions.h for the grammar of Sec-WebSocket-Extensions and negotiate.c for the rules.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_TOKENS_H
#define WSX_CORE_TOKENS_H

#include "rules.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* A stretch of someone else's bytes; not terminated. */
struct wsx_slice {
    const char *at;
    size_t length;
};

bool wsx_is_blank(char byte); /* blank or tab */
bool wsx_is_token_char(char byte);
bool wsx_is_token(struct wsx_slice text);                   /* one or more token characters */
struct wsx_slice wsx_slice_of(const char *text);            /* NULL gives an empty one */
struct wsx_slice wsx_trim(struct wsx_slice text);           /* without blanks around it */
bool wsx_slice_is(struct wsx_slice text, const char *word); /* byte for byte */
bool wsx_slice_is_nocase(struct wsx_slice text, const char *word); /* ASCII case put aside */

/*
 * The next element of a comma list without quoted strings, trimmed; empty elements are passed over,
 * as RFC 9110 5.6.1 asks of a recipient. *rest begins as the whole list. False at the end.
 */
bool wsx_list_next(struct wsx_slice *rest, struct wsx_slice *element);
/* How many elements wsx_list_next gives; list may be NULL. */
size_t wsx_list_count(const char *list);

/* Room for one value in a finding; longer ones are cut and end in "...". */
#define WSX_SHOWN_MAX 100
struct wsx_shown {
    char text[WSX_SHOWN_MAX + 4];
};

/* The value as valid UTF-8 within WSX_SHOWN_MAX bytes; "(hidden)" for each JWT-shaped word in it,
 * so that no finding prints one by way of a header where it is not expected. Lives in *shown. */
const char *wsx_show(struct wsx_shown *shown, struct wsx_slice value);

/* Adds to the detail of a finding, separated by "; ". *detail may be NULL. What would be far over
 * a finding's 400 bytes is dropped: a hostile header can hold thousands of faults. */
void wsx_detail_add(GString **detail, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Reports the detail, if there is one, and frees it. */
void wsx_detail_report(GString **detail, const struct wsx_finding_sink *sink, enum wsx_rule rule,
                       uint32_t packet);
/* Frees it unreported. */
void wsx_detail_drop(GString **detail);

#endif
