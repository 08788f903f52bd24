/*
 * rules.h - the rules that an observer can check, and how a finding is handed on.
 * The rows are in rules.def. Knows no Wireshark type.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_CORE_RULES_H
#define WSX_CORE_RULES_H

#include <stdint.h>

enum wsx_rule {
#define WSX_RULE(symbol, field, id, severity, reference, scope, text) WSX_RULE_##symbol,
#include "rules.def"
#undef WSX_RULE
    WSX_RULE_COUNT
};

/* In rising order, so that "at least a warning" is a comparison. */
enum wsx_severity { WSX_CHAT, WSX_NOTE, WSX_WARNING, WSX_ERROR };

enum wsx_scope {
    WSX_SCOPE_HANDSHAKE,
    WSX_SCOPE_FRAME,
    WSX_SCOPE_MESSAGE,
    WSX_SCOPE_CLOSE,
    WSX_SCOPE_CONTROL,
    WSX_SCOPE_DEFLATE,
    WSX_SCOPE_STREAM,
    WSX_SCOPE_HTTP2,
};

struct wsx_rule_info {
    const char *id;    /* "frame-mask-missing" */
    const char *field; /* "frame_mask_missing" */
    enum wsx_severity severity;
    const char *reference; /* "RFC 6455 5.1", or "" */
    enum wsx_scope scope;
    const char *text;
};

/* Row of a rule; rule < WSX_RULE_COUNT. Never NULL, static memory. */
const struct wsx_rule_info *wsx_rule_info(enum wsx_rule rule);

/*
 * Where the core reports a finding. `severity` may be below the row's where the unseen part of a
 * capture could explain it. `packet` is another packet involved (the Ping, the earlier Close, the
 * offer), 0 if none. `detail` names the values, seen and expected, without the rule's own text and
 * reference; "" if there is nothing to add; valid during the call only. No secret (cookie, token,
 * authorization) is ever in it.
 */
struct wsx_finding_sink {
    void (*report)(void *context, enum wsx_rule rule, enum wsx_severity severity, uint32_t packet,
                   const char *detail);
    void *context;
};

/* Reports with a printf-like detail; the text is cut at 400 bytes, at a character. severity: the
 * row's own. */
void wsx_report(const struct wsx_finding_sink *sink, enum wsx_rule rule, uint32_t packet,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same with a severity of its own. */
void wsx_report_as(const struct wsx_finding_sink *sink, enum wsx_rule rule,
                   enum wsx_severity severity, uint32_t packet, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
