# Finds LibTorch >= 2.4 and offers it as the target h5bridge_libtorch. CMAKE_PREFIX_PATH decides; without it, the torch
# in .venv is taken. The package's own torch_cpu target carries warning and ABI flags that we keep, but as a system header.
if(NOT CMAKE_PREFIX_PATH)
  file(GLOB venv_torch ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  # `torch` itself, not torch/share/cmake: otherwise a LibTorch of the distribution may be linked instead.
  list(APPEND CMAKE_PREFIX_PATH ${venv_torch})
endif()
find_package(Torch 2.4 REQUIRED GLOBAL)  # also for the tests, which are in another folder
add_library(h5bridge_libtorch INTERFACE)
target_include_directories(h5bridge_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(h5bridge_libtorch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(h5bridge_libtorch INTERFACE ${torch_flags})
