# What `cmake --install` puts where, and the package that find_package(h5bridge) reads.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/h5bridge)

install(TARGETS h5bridge_program)
install(TARGETS h5bridge EXPORT h5bridge-targets)
install(EXPORT h5bridge-targets NAMESPACE h5bridge:: DESTINATION ${package_dir})
install(DIRECTORY src/h5bridge DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} PATTERN torch.h EXCLUDE)

# A set of targets of its own, so that who wants conversion alone needs no LibTorch.
if(H5BRIDGE_TORCH)
  install(TARGETS h5bridge_torch EXPORT h5bridge-torch-targets)
  install(EXPORT h5bridge-torch-targets NAMESPACE h5bridge:: DESTINATION ${package_dir})
  install(FILES src/h5bridge/torch.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/h5bridge)
  install(FILES cmake/h5bridge-libtorch.cmake DESTINATION ${package_dir})
endif()

configure_package_config_file(cmake/h5bridge-config.cmake.in h5bridge-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(h5bridge-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/h5bridge-config.cmake ${PROJECT_BINARY_DIR}/h5bridge-config-version.cmake DESTINATION ${package_dir})
install(FILES tools/h5bridge_export.py DESTINATION ${CMAKE_INSTALL_DATADIR}/h5bridge)
