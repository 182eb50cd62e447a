# Installs BUILD to a fresh prefix, builds examples/ against it as a stranger would, and runs them:
# cmake -DSOURCE=... -DBUILD=... -DTORCH=... -DLAUNCHER=... -P check.cmake. TORCH is LibTorch's place, empty without it.
set(here ${BUILD}/package-test)
file(REMOVE_RECURSE ${here})

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${here}/prefix)
run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE}/examples -B ${here}/build "-DCMAKE_PREFIX_PATH=${here}/prefix\;${TORCH}"
    "-DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}")
run(${CMAKE_COMMAND} --build ${here}/build)

set(digits ${SOURCE}/testdata/digits)
run(${here}/build/convert ${digits}/model.json ${digits}/model.pth ${here}/digits.h5)
run(${here}/prefix/bin/h5bridge validate ${here}/digits.h5)
if(TORCH)
  run(${here}/build/predict ${here}/digits.h5 2 8 8 1)
  run(${here}/prefix/bin/h5bridge verify ${digits}/model.json ${digits}/model.pth --input ${digits}/inputs.npz --expect ${digits}/outputs.npz)
endif()

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
