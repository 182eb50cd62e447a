# Several sources to one translation unit, since most of what a small source costs is its headers: 236 units took 33
# minutes of a processor one by one. Editing one source builds its whole group again, so groups stay small.
option(H5BRIDGE_UNITY "Compile related sources together; OFF builds file by file" ON)

# unity_groups(TARGET): a group of sources is a room, all optimizers, or a facet of the families that
# layers/families.def lists in one set. Each group is named, never counted off (CMake's mode BATCH): a new file would
# shift all that stand behind it.
function(unity_groups target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${H5BRIDGE_UNITY} UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  foreach(source IN LISTS sources)
    cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/src OUTPUT_VARIABLE path)
    if(path MATCHES "^layers/([^/]+)/(.*_)?(spec|keras|aten|libtorch|torch_source)[^/]*$")
      set(group "${family_set_${CMAKE_MATCH_1}}_${CMAKE_MATCH_3}")
    elseif(path MATCHES "^layers/([^/]+)/")
      set(group "${family_set_${CMAKE_MATCH_1}}_spec")
    elseif(path MATCHES "^optimizers/")
      set(group optimizers)
    else()
      cmake_path(GET path PARENT_PATH group)
    endif()
    set_source_files_properties(${source} TARGET_DIRECTORY ${target} PROPERTIES UNITY_GROUP ${group})
  endforeach()
endfunction()

# family_set_NAME: the set that a family stands in, which begins with a comment "// Set: ...".
file(STRINGS ${PROJECT_SOURCE_DIR}/src/layers/families.def lines)
foreach(line IN LISTS lines)
  if(line MATCHES "^// Set: ([a-z_]+)")
    set(set_name ${CMAKE_MATCH_1})
  elseif(line MATCHES "^H5BRIDGE_FAMILY\\(([a-z_]+)\\)")
    set(family_set_${CMAKE_MATCH_1} ${set_name})
  endif()
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/layers/families.def)
