# Installs BUILD to a fresh prefix, builds examples/ against it as a stranger would, and runs them:
# cmake -DSOURCE=... -DBUILD=... -DTORCH=... -DLAUNCHER=... -DCXX=... -DLIBDIR=... -P check.cmake. TORCH is LibTorch's place,
# empty without it; LIBDIR that of libraries in a prefix.
set(here ${BUILD}/package-test)
file(REMOVE_RECURSE ${here})

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${here}/prefix)
foreach(file man/man1/h5bridge.1 bash-completion/completions/h5bridge)
  if(NOT EXISTS ${here}/prefix/share/${file})
    message(FATAL_ERROR "share/${file} is not installed")
  endif()
endforeach()
run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE}/examples -B ${here}/build "-DCMAKE_PREFIX_PATH=${here}/prefix\;${TORCH}"
    "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}")
run(${CMAKE_COMMAND} --build ${here}/build)

set(digits ${SOURCE}/testdata/digits)
run(${here}/build/convert ${digits}/model.json ${digits}/model.pth ${here}/digits.h5)
run(${here}/prefix/bin/h5bridge validate ${here}/digits.h5)
if(TORCH)
  run(${here}/build/predict ${here}/digits.h5 2 8 8 1)
  set(checkpoint ${SOURCE}/testdata/golden/checkpoint)
  run(${here}/build/resume ${checkpoint}/model.json ${checkpoint}/model.pth ${here}/resumed.pth)
  run(${here}/build/resume ${checkpoint}/model.json ${here}/resumed.pth ${here}/resumed.pth)
  run(${here}/prefix/bin/h5bridge verify ${digits}/model.json ${digits}/model.pth --input ${digits}/inputs.npz --expect ${digits}/outputs.npz)
endif()

# What the libraries let others see is h5bridge's own (cmake/*.map), and what a public header names suffices.
find_program(NM nm)
foreach(library h5bridge h5bridge_torch)
  set(file ${here}/prefix/${LIBDIR}/lib${library}.so)
  if(NM AND EXISTS ${file})
    execute_process(COMMAND ${NM} -DC --defined-only ${file} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX REPLACE "[;\\[]" " " symbols "${symbols}")
    string(REGEX MATCHALL "[^\n]+" symbols "${symbols}")
    list(FILTER symbols EXCLUDE REGEX "^[0-9a-f]* ?[A-Za-z] ((typeinfo|typeinfo name|vtable|VTT|guard variable) for |(non-)?virtual thunk to )?(h5bridge::|h5bridge_|H5BRIDGE_)")
    if(symbols)
      list(GET symbols 0 first)
      message(FATAL_ERROR "${file} exports what is not h5bridge's: ${first}")
    endif()
  endif()
endforeach()
foreach(example convert predict resume)
  if(EXISTS ${here}/build/${example})
    file(STRINGS ${here}/build/${example} private REGEX "H5BRIDGE_PRIVATE")
    file(STRINGS ${here}/build/${example} public REGEX "H5BRIDGE_0")
    if(private OR NOT public)
      message(FATAL_ERROR "examples/${example}.cpp links to what no public header has, or symbols have no versions")
    endif()
  endif()
endforeach()

# Without CMake.
run(${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${here}/prefix/${LIBDIR}/pkgconfig sh -c
    "${CXX} ${SOURCE}/examples/convert.cpp $(pkg-config --cflags --libs h5bridge) -Wl,-rpath,$(pkg-config --variable=libdir h5bridge) -o ${here}/by_pkg_config")
run(${here}/by_pkg_config ${digits}/model.json ${digits}/model.pth ${here}/by_pkg_config.h5)

# Projects of a few lines. Each finds the package twice, as one does whose parts each say what they need.
function(configure name prefix)
  list(JOIN component " " components)
  file(WRITE ${here}/${name}/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)\nproject(${name} LANGUAGES CXX)\n"
    "find_package(h5bridge)\nfind_package(h5bridge REQUIRED COMPONENTS ${components})\n${rest}")
  execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${here}/${name} -B ${here}/${name}/build "-DCMAKE_PREFIX_PATH=${prefix}"
      "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}" ${ARGN}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE error)
  string(REGEX REPLACE "[ \n]+" " " error "${error}")
  set(status ${status} PARENT_SCOPE)
  set(error "${error}" PARENT_SCOPE)
endfunction()

function(expect_refused name prefix reason)
  configure(${name} ${prefix} ${ARGN})
  if(status EQUAL 0 OR NOT error MATCHES "${reason}")
    message(FATAL_ERROR "${name}: expected a refusal that says \"${reason}\", found ${status}: ${error}")
  endif()
endfunction()

set(component plot)
expect_refused(unknown_component ${here}/prefix "h5bridge has no component \"plot\", only core and torch")
set(component torch)
file(COPY ${here}/prefix/ DESTINATION ${here}/without_torch)
file(GLOB_RECURSE torch_targets ${here}/without_torch/*h5bridge-torch-targets*)
file(REMOVE ${torch_targets})
expect_refused(built_without_torch ${here}/without_torch "this h5bridge was built without LibTorch")
if(TORCH)
  expect_refused(without_libtorch ${here}/prefix "LibTorch 2.4 or newer is not found" -DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON)
endif()

# A project that has the sources: FetchContent would bring them. What h5bridge tests is not built with it.
file(WRITE ${here}/within/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)\nproject(within LANGUAGES CXX)\ninclude(FetchContent)\n"
  "set(H5BRIDGE_TORCH OFF)\nFetchContent_Declare(h5bridge SOURCE_DIR ${SOURCE})\nFetchContent_MakeAvailable(h5bridge)\n"
  "add_executable(convert ${SOURCE}/examples/convert.cpp)\ntarget_link_libraries(convert PRIVATE h5bridge::h5bridge)\n"
  "if(TARGET h5bridge_tests OR TARGET h5bridge_python)\n  message(FATAL_ERROR \"what is h5bridge's own is built, too\")\nendif()\n")
run(${CMAKE_COMMAND} -G Ninja -S ${here}/within -B ${here}/within/build)

# Each public header compiles by itself.
file(GLOB headers RELATIVE ${here}/prefix/include ${here}/prefix/include/h5bridge/*.h)
set(rest "add_library(headers OBJECT)\ntarget_link_libraries(headers PRIVATE h5bridge::h5bridge)\n")
if(TORCH)
  set(component core torch)
  string(APPEND rest "target_link_libraries(headers PRIVATE h5bridge::torch)\n")
else()
  set(component core)
endif()
foreach(header ${headers})
  cmake_path(GET header STEM stem)
  file(WRITE ${here}/headers/${stem}.cpp "#include <${header}>\n")
  string(APPEND rest "target_sources(headers PRIVATE ${stem}.cpp)\n")
endforeach()
configure(headers "${here}/prefix;${TORCH}")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${error}")
endif()
run(${CMAKE_COMMAND} --build ${here}/headers/build)

# What is installed must not reach back into the sources.
file(GLOB_RECURSE headers RELATIVE ${here}/prefix/include ${here}/prefix/include/*)
foreach(header ${headers})
  if(NOT header MATCHES "^h5bridge/[a-z0-9_]+\\.h$")
    message(FATAL_ERROR "${header} is installed")
  endif()
  file(STRINGS ${here}/prefix/include/${header} includes REGEX "^#include \"")
  foreach(include ${includes})
    if(NOT include MATCHES "\"h5bridge/")
      message(FATAL_ERROR "${header} has ${include}, which is not installed")
    endif()
  endforeach()
endforeach()
