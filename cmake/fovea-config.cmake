# find_package(fovea): the program fovea::fovea, and a function that makes a model part of a build.
#
#   fovea_add_model(TARGET MODEL.onnx [NAME name] [WEIGHTS inline|object|file] [THREADS n] [OPTIONS option...])
#
# compiles the model to C at build time and adds it to TARGET, which can then #include "name.h". NAME is the file's name
# by default, WEIGHTS inline for models below 1 MB, else object; with THREADS up to n threads can share the work of a
# run; OPTIONS are more options of `fovea compile`, such as --dispatch. C for one target is to be compiled with that
# target's flags, by target_compile_options().
if(NOT TARGET fovea::fovea)
  get_filename_component(_fovea_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  find_program(FOVEA_EXECUTABLE fovea HINTS "${_fovea_prefix}/bin" NO_DEFAULT_PATH)
  if(NOT FOVEA_EXECUTABLE)
    find_program(FOVEA_EXECUTABLE fovea)
  endif()
  if(NOT FOVEA_EXECUTABLE)
    set(fovea_FOUND FALSE)
    set(fovea_NOT_FOUND_MESSAGE "the program fovea was not found beside its CMake package")
    return()
  endif()
  add_executable(fovea::fovea IMPORTED GLOBAL)
  set_target_properties(fovea::fovea PROPERTIES IMPORTED_LOCATION "${FOVEA_EXECUTABLE}")
endif()

function(fovea_add_model target model)
  cmake_parse_arguments(PARSE_ARGV 2 MODEL "" "NAME;WEIGHTS;THREADS" "OPTIONS")
  if(MODEL_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "fovea_add_model: unexpected ${MODEL_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(model "${model}" ABSOLUTE)
  if(NOT MODEL_NAME)
    get_filename_component(MODEL_NAME "${model}" NAME_WE)
    string(MAKE_C_IDENTIFIER "${MODEL_NAME}" MODEL_NAME)
  endif()
  if(NOT MODEL_WEIGHTS)
    file(SIZE "${model}" bytes)
    if(bytes LESS 1048576)
      set(MODEL_WEIGHTS inline)
    else()
      set(MODEL_WEIGHTS object)
    endif()
  endif()

  if(MODEL_THREADS)
    list(APPEND MODEL_OPTIONS --threads "${MODEL_THREADS}")
  endif()

  set(folder "${CMAKE_CURRENT_BINARY_DIR}/fovea/${MODEL_NAME}")
  set(made "${folder}/${MODEL_NAME}.c" "${folder}/${MODEL_NAME}.h" "${folder}/${MODEL_NAME}.json")
  if("--dispatch" IN_LIST MODEL_OPTIONS)
    foreach(variant v2 v3 v4)
      list(APPEND made "${folder}/${MODEL_NAME}_${variant}.c")
    endforeach()
    if(MODEL_WEIGHTS STREQUAL inline)
      list(APPEND made "${folder}/${MODEL_NAME}_weights.c")
    endif()
  endif()
  if(MODEL_WEIGHTS STREQUAL object)
    enable_language(ASM)
    list(APPEND made "${folder}/${MODEL_NAME}_weights.S")
    set_property(SOURCE "${folder}/${MODEL_NAME}_weights.S" APPEND PROPERTY INCLUDE_DIRECTORIES "${folder}")
  endif()
  add_custom_command(
    OUTPUT ${made}
    COMMAND fovea::fovea compile "${model}" -o "${folder}" --name "${MODEL_NAME}" --weights "${MODEL_WEIGHTS}"
            ${MODEL_OPTIONS}
    DEPENDS "${model}" fovea::fovea
    COMMENT "fovea: ${MODEL_NAME} from ${model}"
    VERBATIM)
  target_sources(${target} PRIVATE ${made})
  target_include_directories(${target} PRIVATE "${folder}")
  if(UNIX)
    target_link_libraries(${target} PRIVATE m)
  endif()
endfunction()
