/*
 * taps.h - the command line surfaces; each file registers one. They read the items that state.h
 * describes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WSX_TAPS_H
#define WSX_TAPS_H

/* -z websocket,messages[,FILE[,FILTER]]: JSON Lines. */
void wsx_tap_messages_register(void);

#endif
