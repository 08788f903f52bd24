/*
 * rules.c - the table of rules.def and the printf-like reporters. Decides nothing; see
 * connection.c, message.c and handshake.c for where findings come from.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rules.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* A finding's detail is one line on a screen; longer values are cut. */
#define WSX_DETAIL_MAX 400

static const struct wsx_rule_info rule_table[WSX_RULE_COUNT] = {
#define WSX_RULE(symbol, field, id, severity, reference, scope, text)                              \
    [WSX_RULE_##symbol] = {id, #field, WSX_##severity, reference, WSX_SCOPE_##scope, text},
#include "rules.def"
#undef WSX_RULE
};

const struct wsx_rule_info *wsx_rule_info(enum wsx_rule rule) { return &rule_table[rule]; }

static void report_list(const struct wsx_finding_sink *sink, enum wsx_rule rule,
                        enum wsx_severity severity, uint32_t packet, const char *format,
                        va_list arguments) {
    char detail[WSX_DETAIL_MAX + 1];
    int length = vsnprintf(detail, sizeof detail, format, arguments);
    if (length < 0)
        detail[0] = '\0';
    if (length > WSX_DETAIL_MAX) {
        size_t end = WSX_DETAIL_MAX;
        while (end > 0 && ((unsigned char)detail[end - 1] & 0xC0) == 0x80)
            end--;
        if (end > 0 && ((unsigned char)detail[end - 1] & 0x80))
            end--;
        detail[end] = '\0';
    }
    sink->report(sink->context, rule, severity, packet, detail);
}

void wsx_report(const struct wsx_finding_sink *sink, enum wsx_rule rule, uint32_t packet,
                const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report_list(sink, rule, wsx_rule_info(rule)->severity, packet, format, arguments);
    va_end(arguments);
}

void wsx_report_as(const struct wsx_finding_sink *sink, enum wsx_rule rule,
                   enum wsx_severity severity, uint32_t packet, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report_list(sink, rule, severity, packet, format, arguments);
    va_end(arguments);
}
