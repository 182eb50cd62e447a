# Finds LibTorch >= 2.4 for the build. CMAKE_PREFIX_PATH decides; without it, the torch in .venv is taken.
if(NOT CMAKE_PREFIX_PATH)
  file(GLOB venv_torch ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  # `torch` itself, not torch/share/cmake: otherwise a LibTorch of the distribution may be linked instead.
  list(APPEND CMAKE_PREFIX_PATH ${venv_torch})
endif()
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # tests/ needs its targets, too
find_package(Torch 2.4 REQUIRED)
include(${CMAKE_CURRENT_LIST_DIR}/h5bridge-libtorch.cmake)
