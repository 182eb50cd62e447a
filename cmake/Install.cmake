# What `cmake --install` puts where, and the package that find_package(h5bridge) reads.
# Two components: core, which knows no LibTorch, and torch; a Debian package each (`cpack -G DEB` in the build folder).
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME core)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/h5bridge)

install(TARGETS h5bridge_program)
install(TARGETS h5bridge EXPORT h5bridge-targets)
install(EXPORT h5bridge-targets NAMESPACE h5bridge:: DESTINATION ${package_dir})
install(DIRECTORY src/h5bridge DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} PATTERN torch.h EXCLUDE)

# A set of targets of its own, so that who wants conversion alone needs no LibTorch.
if(H5BRIDGE_TORCH)
  set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME torch)
  install(TARGETS h5bridge_torch EXPORT h5bridge-torch-targets)
  install(EXPORT h5bridge-torch-targets NAMESPACE h5bridge:: DESTINATION ${package_dir})
  install(FILES src/h5bridge/torch.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/h5bridge)
  install(FILES cmake/h5bridge-libtorch.cmake DESTINATION ${package_dir})
  set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME core)
endif()

configure_package_config_file(cmake/h5bridge-config.cmake.in h5bridge-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(h5bridge-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/h5bridge-config.cmake ${PROJECT_BINARY_DIR}/h5bridge-config-version.cmake DESTINATION ${package_dir})
# Where it lies tells where the rest does, so that `cmake --install --prefix` may still choose.
file(RELATIVE_PATH pkgconfig_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/h5bridge.pc.in h5bridge.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/h5bridge.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES tools/h5bridge_export.py DESTINATION ${CMAKE_INSTALL_DATADIR}/h5bridge)
install(DIRECTORY python/h5bridge/exporter DESTINATION ${CMAKE_INSTALL_DATADIR}/h5bridge FILES_MATCHING
  PATTERN "*.py" PATTERN __pycache__ EXCLUDE)

# Shells and `man` are told of commands and options by the program itself.
set(completions "bash|${CMAKE_INSTALL_DATADIR}/bash-completion/completions|h5bridge" "zsh|${CMAKE_INSTALL_DATADIR}/zsh/site-functions|_h5bridge"
  "fish|${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d|h5bridge.fish" "man|${CMAKE_INSTALL_MANDIR}/man1|h5bridge.1")
foreach(completion IN LISTS completions)
  string(REPLACE "|" ";" completion "${completion}")
  list(GET completion 0 kind)
  list(GET completion 1 folder)
  list(GET completion 2 name)
  set(file ${PROJECT_BINARY_DIR}/completion/${name})
  file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/completion)
  install(CODE "execute_process(COMMAND \"$<TARGET_FILE:h5bridge_program>\" completion ${kind} OUTPUT_FILE \"${file}\" COMMAND_ERROR_IS_FATAL ANY)")
  install(FILES ${file} DESTINATION ${folder})
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_PACKAGE_NAME h5bridge)
  set(CPACK_PACKAGE_CONTACT "the authors of h5bridge")
  set(CPACK_COMPONENTS_ALL core)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_CORE_PACKAGE_NAME h5bridge)
  set(CPACK_DEBIAN_CORE_DESCRIPTION "${PROJECT_DESCRIPTION}\n The program, and the C++ library that reads, converts and writes.")
  set(CPACK_DEBIAN_CORE_PACKAGE_SHLIBDEPS ON)
  if(H5BRIDGE_TORCH)
    # LibTorch is no package of Debian's: it stays where it was when this was built.
    list(APPEND CPACK_COMPONENTS_ALL torch)
    set(CPACK_DEBIAN_TORCH_PACKAGE_NAME h5bridge-torch)
    set(CPACK_DEBIAN_TORCH_DESCRIPTION "${PROJECT_DESCRIPTION}\n What rebuilds and runs models with LibTorch.")
    set(CPACK_DEBIAN_TORCH_PACKAGE_DEPENDS "h5bridge (= ${PROJECT_VERSION})")
  endif()
  include(CPack)
endif()
