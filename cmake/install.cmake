# How the plugin gets into Wireshark, and the Debian package.
#
#   cmake --install build                    for all users, into the plugin folder of the Wireshark it
#                                            was built for (component system)
#   cmake --install build --component user   for yourself, into your personal plugin folder
#   cmake --build build --target package     a .deb: its name and its dependencies carry that version
#
# Both installs name every other copy of wsx that this Wireshark would find (cmake/copies.cmake.in):
# Wireshark loads one of two copies, and not always the one just installed.
#
# SPDX-License-Identifier: GPL-2.0-or-later
set(WSX_RELEASE ${Wireshark_MAJOR_VERSION}.${Wireshark_MINOR_VERSION})
set(WSX_SYSTEM_FOLDER ${Wireshark_PLUGIN_INSTALL_DIR}/epan)
set(WSX_PACKAGE wsx-wireshark-${WSX_RELEASE})

foreach(kind system user)
    set(WSX_KIND ${kind})
    configure_file(cmake/copies.cmake.in ${CMAKE_BINARY_DIR}/copies-${kind}.cmake @ONLY)
endforeach()
install(SCRIPT ${CMAKE_BINARY_DIR}/copies-system.cmake COMPONENT system)
install(TARGETS wsx LIBRARY DESTINATION ${WSX_SYSTEM_FOLDER} COMPONENT system)
install(SCRIPT ${CMAKE_BINARY_DIR}/copies-user.cmake COMPONENT user EXCLUDE_FROM_ALL)

# --- the package -----------------------------------------------------------------------------------

set(share ${Wireshark_INSTALL_PREFIX}/share)
foreach(name copyright postinst)
    configure_file(cmake/debian/${name}.in ${CMAKE_BINARY_DIR}/debian/${name} @ONLY)
endforeach()
file(CHMOD ${CMAKE_BINARY_DIR}/debian/postinst PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
install(PROGRAMS extras/wsx-regress DESTINATION ${Wireshark_INSTALL_PREFIX}/bin
    COMPONENT package EXCLUDE_FROM_ALL)
install(FILES ${CMAKE_BINARY_DIR}/debian/copyright README.md CHANGELOG.md
    DESTINATION ${share}/doc/${WSX_PACKAGE} COMPONENT package EXCLUDE_FROM_ALL)
install(DIRECTORY docs extras/WebSocket DESTINATION ${share}/doc/${WSX_PACKAGE}
    COMPONENT package EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON) # the plugin folder is an absolute path
set(CPACK_INSTALL_PREFIX ${Wireshark_INSTALL_PREFIX})
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};wsx;system;/;${CMAKE_BINARY_DIR};wsx;package;/")
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_VERSION ${WSX_VERSION})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_NAME ${WSX_PACKAGE})
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "wsx <wsx@localhost>")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "WebSocket dissection for Wireshark ${WSX_RELEASE}
A plugin that makes Wireshark and tshark ${WSX_RELEASE} read WebSocket traffic: frames and
messages unmasked, put together and decompressed, also where packets are lost,
late or cut, and checked against RFC 6455 and RFC 7692.

Another minor version of Wireshark needs another package of this name.")
# The libraries' names carry Wireshark's minor version; libwireshark-data says it in so many words.
math(EXPR next "${Wireshark_MINOR_VERSION} + 1")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libwireshark-data (>= ${WSX_RELEASE}), libwireshark-data (<< ${Wireshark_MAJOR_VERSION}.${next}~)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "tshark | wireshark")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3")
set(CPACK_DEBIAN_PACKAGE_ENHANCES "wireshark, tshark")
# One at a time: both have the same program, and a new Wireshark makes the old one useless.
set(CPACK_DEBIAN_PACKAGE_PROVIDES wsx)
set(CPACK_DEBIAN_PACKAGE_CONFLICTS wsx)
set(CPACK_DEBIAN_PACKAGE_REPLACES wsx)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_BINARY_DIR}/debian/postinst)
include(CPack)
