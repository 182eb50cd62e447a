# The target h5bridge_libtorch, after find_package(Torch): LibTorch with its flags, its headers as system headers. Our build
# and the installed package both read this file.
add_library(h5bridge_libtorch INTERFACE)
target_include_directories(h5bridge_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(h5bridge_libtorch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(h5bridge_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(h5bridge_libtorch INTERFACE ${h5bridge_torch_flags})
