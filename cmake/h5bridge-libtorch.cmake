# h5bridge_find_libtorch() makes the target h5bridge_libtorch: LibTorch with its flags, its headers as system headers. Where
# CMAKE_PREFIX_PATH leads to none, h5bridge_libtorch_problem says so. Our build and the installed package both read this file.
option(H5BRIDGE_PLAIN_LIBTORCH "Link LibTorch's libraries as they are, without its CMake configuration" OFF)
mark_as_advanced(H5BRIDGE_PLAIN_LIBTORCH)

# Sets what LibTorch's configuration would: that of a LibTorch with CUDA stops where there is no CUDA toolkit, which
# building against it does not take.
macro(h5bridge_plain_libtorch)
  find_library(H5BRIDGE_TORCH_CPU torch_cpu PATH_SUFFIXES ../../lib)
  if(H5BRIDGE_TORCH_CPU)
    cmake_path(SET torch_cpu NORMALIZE ${H5BRIDGE_TORCH_CPU})
    cmake_path(GET torch_cpu PARENT_PATH torch_libraries)
    cmake_path(GET torch_libraries PARENT_PATH TORCH_INSTALL_PREFIX)
    set(TORCH_INCLUDE_DIRS ${TORCH_INSTALL_PREFIX}/include ${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include)
    set(TORCH_LIBRARIES ${torch_libraries}/libtorch.so ${torch_libraries}/libtorch_cpu.so ${torch_libraries}/libc10.so)
    if(H5BRIDGE_TORCH_CUDA)
      # Nothing refers to it: it registers itself with the others once it is loaded.
      list(APPEND TORCH_LIBRARIES -Wl,--no-as-needed ${H5BRIDGE_TORCH_CUDA} ${torch_libraries}/libc10_cuda.so -Wl,--as-needed)
    endif()
    set(Torch_DIR ${TORCH_INSTALL_PREFIX}/share/cmake/Torch CACHE PATH "Where LibTorch's configuration is")
    set(Torch_FOUND TRUE)
  endif()
endmacro()

# A macro, so that find_package(Torch) makes its targets where the caller needs them.
macro(h5bridge_find_libtorch)
  find_library(H5BRIDGE_TORCH_CUDA torch_cuda PATH_SUFFIXES ../../lib)  # a prefix may be torch/share/cmake
  if(H5BRIDGE_TORCH_CUDA)
    find_package(CUDAToolkit QUIET)
  endif()
  mark_as_advanced(H5BRIDGE_TORCH_CUDA H5BRIDGE_TORCH_CPU)
  if(H5BRIDGE_PLAIN_LIBTORCH OR (H5BRIDGE_TORCH_CUDA AND NOT CUDAToolkit_FOUND))
    h5bridge_plain_libtorch()
  else()
    find_package(Torch 2.4 QUIET)
  endif()

  if(NOT Torch_FOUND)
    set(h5bridge_libtorch_problem "LibTorch 2.4 or newer is not found")
    if(Torch_CONSIDERED_VERSIONS)
      string(APPEND h5bridge_libtorch_problem " (there is ${Torch_CONSIDERED_VERSIONS})")
    endif()
    string(APPEND h5bridge_libtorch_problem
      ": name its folder in CMAKE_PREFIX_PATH; of a PyTorch that is what "
      "`python3 -c \"import torch; print(torch.utils.cmake_prefix_path)\"` prints")
  elseif(NOT TARGET h5bridge_libtorch)
    add_library(h5bridge_libtorch INTERFACE)
    target_include_directories(h5bridge_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
    target_link_libraries(h5bridge_libtorch INTERFACE ${TORCH_LIBRARIES})
    separate_arguments(h5bridge_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
    target_compile_options(h5bridge_libtorch INTERFACE ${h5bridge_torch_flags})
  endif()
endmacro()
