/*
 * compat.h - the only place that knows a Wireshark version (4.0, 4.4, 4.6).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_EPAN_COMPAT_H
#define WSX_EPAN_COMPAT_H

#if __has_include(<config.h>) /* 4.0 ships none */
#include <config.h>
#else
#define HAVE_PLUGINS 1
#endif
#include <ws_version.h>
#define WSX_VERSION (WIRESHARK_VERSION_MAJOR * 100 + WIRESHARK_VERSION_MINOR)
#include <wireshark.h>
#include <stdbool.h>
#include <epan/packet.h>
#include <epan/proto.h>
#include <epan/expert.h>
#include <epan/prefs.h>
#include <epan/prefs-int.h>
#include <epan/tap.h>
#include <epan/conversation.h>
#include <epan/proto_data.h>
#include <epan/stat_tap_ui.h>
#include <epan/to_str.h>
#include <epan/tfs.h>
#include <epan/dissectors/packet-tcp.h>
#include <wiretap/wtap.h> /* wtap_rec; epan/packet.h of 4.0 brings it, later ones only name it */

#if WSX_VERSION >= 404
typedef bool wsx_bool;
#else
typedef gboolean wsx_bool;
#define tvb_get_uint8 tvb_get_guint8
#endif

#if WSX_VERSION >= 406
#define WSX_STAT_RETURN bool
#define WSX_STAT_OK return true
#else
#define WSX_STAT_RETURN void
#define WSX_STAT_OK return
#endif

/* What the surfaces register. */
#if WSX_VERSION >= 404
#define WSX_REGISTER_FOLLOW(proto, tap, conv, index, address, port, handler, count)                \
    register_follow_stream(proto, tap, conv, index, address, port, handler, count, NULL)
#define WSX_REGISTER_CONVERSATION_FILTER(proto, name, valid, build)                                \
    register_conversation_filter(proto, name, valid, build, NULL)
#define WSX_CONVERSATION_FILTER_ARGUMENTS packet_info *pinfo, void *user _U_
#else
#define WSX_REGISTER_FOLLOW(proto, tap, conv, index, address, port, handler, count)                \
    register_follow_stream(proto, tap, conv, index, address, port, handler)
#define WSX_REGISTER_CONVERSATION_FILTER(proto, name, valid, build)                                \
    register_conversation_filter(proto, name, valid, build)
#define WSX_CONVERSATION_FILTER_ARGUMENTS packet_info *pinfo
#endif
/* tshark's follow has no mode utf-8. */
#define WSX_FOLLOW_LACKS_UTF8 (WSX_VERSION < 404)
/* Wireshark hands us the bytes of HTTP/2 and HTTP/3 streams itself, with http_upgrade_info_t. */
#define WSX_STREAMS_ARE_CALLED (WSX_VERSION >= 406)

/* What 4.6.9 says of HTTP/3 with http_upgrade_info_t is the other side's: from_server, and the
 * headers of "the other direction". */
#define WSX_HTTP3_SIDES_SWAPPED (WSX_VERSION >= 406)

/* HTTP/3 is told apart from other users of QUIC, with its frames and headers in the tree. */
#define WSX_HTTP3_IS_DISSECTED (WSX_VERSION >= 404)

/* HTTP's memory of a connection: the last request and its answer have a structure of their own. */
#define WSX_HTTP_KEEPS_REQUESTS (WSX_VERSION >= 404)

/* tcp_acked.flags: the segment before was not captured; a segment is acknowledged that was not. No
 * header has the names; the values are the same in all versions. */
#define WSX_TCP_LOST_SEGMENT 0x0002
#define WSX_TCP_ACKED_LOST 0x0004

/* True when somebody asked for this field by name (a filter, -e): a visible tree alone does not
 * count. */
static inline bool wsx_field_wanted(int hf) {
    return proto_registrar_get_nth((unsigned)hf)->ref_type == HF_REF_TYPE_DIRECT;
}

/* A data source's name; wmem_free it from no pool. */
static inline char *wsx_data_source_name(const struct data_source *source) {
#if WSX_VERSION >= 406
    return get_data_source_description(source);
#else
    return get_data_source_name(source);
#endif
}

/* Values of a field in a tree; of the type that the name says. */
#if WSX_VERSION >= 404
#define WSX_FVALUE(info) ((info)->value)
#else
#define WSX_FVALUE(info) (&(info)->value)
#endif
static inline uint32_t wsx_field_uint(field_info *info) {
    return fvalue_get_uinteger(WSX_FVALUE(info));
}
static inline uint64_t wsx_field_uint64(field_info *info) {
    return fvalue_get_uinteger64(WSX_FVALUE(info));
}
static inline const char *wsx_field_string(field_info *info) {
    return fvalue_get_string(WSX_FVALUE(info));
}

/* Sets a string value that may hold U+0000; add_string cuts there. Only for an item that is our
 * field's own; false for any other. */
static inline bool wsx_item_set_text(proto_item *item, int hf, const uint8_t *bytes,
                                     size_t length) {
    field_info *info = item ? PITEM_FINFO(item) : NULL;
    if (!info || info->hfinfo->id != hf)
        return false;
    wmem_strbuf_t *text = wmem_strbuf_new(NULL, NULL);
    wmem_strbuf_append_len(text, (const char *)bytes, length);
#if WSX_VERSION >= 404
    fvalue_set_strbuf(info->value, text);
#else
    info->value.value.strbuf = text;
#endif
    return true;
}

/*
 * Sequence analysis (Flow Graph): the library exports it, its header is not installed. What follows
 * is declared from the versions' own sources and object code; flow.c holds it against what the
 * library does before it is used. Wireshark makes the items, so that it knows their size.
 */
#define WSX_SEQUENCE_NODES 40

struct wsx_sequence_item {
    uint32_t frame_number;
    address src_addr;
    uint16_t port_src;
    address dst_addr;
    uint16_t port_dst;
    char *frame_label, *time_str, *comment; /* g_malloc'ed, Wireshark frees them */
    uint16_t conv_num;
    unsigned fg_color, bg_color;
    wsx_bool has_color_filter, display;
    unsigned src_node, dst_node; /* set by Wireshark */
    uint16_t line_style;
    uint32_t info_type;
    void *info_ptr;
#if WSX_VERSION >= 406
    void (*free_info_ptr)(void *);
#endif
};

struct wsx_sequence {
    const char *name;
    wsx_bool any_addr;
    int nconv;
    GQueue *items;
    GHashTable *ht;
    address nodes[WSX_SEQUENCE_NODES];
#if WSX_VERSION >= 404
    uint8_t occurrence[WSX_SEQUENCE_NODES];
#endif
    uint32_t num_nodes;
};

WS_DLL_PUBLIC void register_seq_analysis(const char *name, const char *ui_name, const int proto_id,
                                         const char *tap_listener, unsigned tap_flags,
                                         tap_packet_cb tap_func);
WS_DLL_PUBLIC struct wsx_sequence_item *
sequence_analysis_create_sai_with_addresses(packet_info *pinfo, struct wsx_sequence *sequence);
WS_DLL_PUBLIC void sequence_analysis_use_color_filter(packet_info *pinfo,
                                                      struct wsx_sequence_item *item);
WS_DLL_PUBLIC struct wsx_sequence *sequence_analysis_info_new(void);
WS_DLL_PUBLIC void sequence_analysis_info_free(struct wsx_sequence *sequence);
WS_DLL_PUBLIC void sequence_analysis_list_sort(struct wsx_sequence *sequence);
WS_DLL_PUBLIC int sequence_analysis_get_nodes(struct wsx_sequence *sequence);
WS_DLL_PUBLIC void sequence_analysis_dump_to_file(FILE *out, struct wsx_sequence *sequence,
                                                  unsigned first_node);

#endif
