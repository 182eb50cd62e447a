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

# The configuration of a LibTorch with CUDA stops where there is no CUDA toolkit, which building against it does not take.
find_library(H5BRIDGE_TORCH_CUDA torch_cuda)
if(H5BRIDGE_TORCH_CUDA)
  find_package(CUDAToolkit QUIET)
endif()
option(H5BRIDGE_PLAIN_LIBTORCH "Link LibTorch's libraries as they are, without its CMake configuration" OFF)
if(H5BRIDGE_PLAIN_LIBTORCH OR (H5BRIDGE_TORCH_CUDA AND NOT CUDAToolkit_FOUND))
  find_library(H5BRIDGE_TORCH_CPU torch_cpu REQUIRED)
  cmake_path(GET H5BRIDGE_TORCH_CPU PARENT_PATH torch_libraries)
  cmake_path(GET torch_libraries PARENT_PATH TORCH_INSTALL_PREFIX)
  set(TORCH_INCLUDE_DIRS ${TORCH_INSTALL_PREFIX}/include ${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include)
  set(TORCH_LIBRARIES ${torch_libraries}/libtorch.so ${torch_libraries}/libtorch_cpu.so ${torch_libraries}/libc10.so)
  if(H5BRIDGE_TORCH_CUDA)
    # Nothing refers to it: it registers itself with the others once it is loaded.
    list(APPEND TORCH_LIBRARIES -Wl,--no-as-needed ${H5BRIDGE_TORCH_CUDA} ${torch_libraries}/libc10_cuda.so -Wl,--as-needed)
  endif()
  set(Torch_DIR ${TORCH_INSTALL_PREFIX}/share/cmake/Torch CACHE PATH "Where LibTorch's configuration is")
else()
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # tests/ needs its targets, too
  find_package(Torch 2.4 REQUIRED)
endif()
include(${CMAKE_CURRENT_LIST_DIR}/h5bridge-libtorch.cmake)
