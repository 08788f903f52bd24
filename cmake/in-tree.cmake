# wsx as a plugin inside a source tree of Wireshark: plugins/epan/wsx, with
# -DCUSTOM_PLUGIN_SRC_DIR=plugins/epan/wsx. Wireshark's own macros build and install it.
#
# SPDX-License-Identifier: GPL-2.0-or-later
include(WiresharkPlugin)

set(sources)
foreach(folder core epan apps taps)
    file(GLOB found CONFIGURE_DEPENDS plugin/${folder}/*.c)
    list(APPEND sources ${found})
endforeach()
set(PLUGIN_FILES ${sources})
add_wireshark_plugin_library(wsx epan)
target_compile_definitions(wsx PRIVATE PLUGIN_VERSION="${WSX_VERSION}"
    WANT_MAJOR=${PROJECT_MAJOR_VERSION} WANT_MINOR=${PROJECT_MINOR_VERSION})
set_target_properties(wsx PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
target_include_directories(wsx PRIVATE plugin plugin/core plugin/epan ${ZLIB_INCLUDE_DIRS})
target_link_libraries(wsx PRIVATE epan ${ZLIB_LIBRARIES})
install_plugin(wsx epan)
