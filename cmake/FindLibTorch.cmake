# Finds LibTorch >= 2.4 for the build. CMAKE_PREFIX_PATH decides; without it, the torch in .venv is taken.
if(NOT CMAKE_PREFIX_PATH)
  if(EXISTS ${PROJECT_SOURCE_DIR}/.venv/torch)  # a link from tools/setup: the torch may be another Python's
    file(READ_SYMLINK ${PROJECT_SOURCE_DIR}/.venv/torch venv_torch)
    cmake_path(ABSOLUTE_PATH venv_torch BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/.venv)
  else()
    file(GLOB venv_torch ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  endif()
  # `torch` itself, not torch/share/cmake: otherwise a LibTorch of the distribution may be linked instead.
  list(APPEND CMAKE_PREFIX_PATH ${venv_torch})
endif()

# What was found in another LibTorch before is forgotten, or else part of it would be taken still.
set(before ${H5BRIDGE_TORCH_FROM})
if(before AND NOT before STREQUAL CMAKE_PREFIX_PATH)
  get_cmake_property(names CACHE_VARIABLES)
  foreach(name IN LISTS names)
    foreach(folder IN LISTS before)
      cmake_path(IS_PREFIX folder "${${name}}" is_from_before)
      if(is_from_before)
        unset(${name} CACHE)
      endif()
    endforeach()
  endforeach()
endif()
set(H5BRIDGE_TORCH_FROM "${CMAKE_PREFIX_PATH}" CACHE INTERNAL "Where LibTorch was looked for")

set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # tests/ needs its targets, too
include(${CMAKE_CURRENT_LIST_DIR}/h5bridge-libtorch.cmake)
h5bridge_find_libtorch()
if(NOT TARGET h5bridge_libtorch)
  message(FATAL_ERROR "${h5bridge_libtorch_problem}. -DH5BRIDGE_TORCH=OFF builds without it.")
endif()
