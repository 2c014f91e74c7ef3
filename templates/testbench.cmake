# Builds {{name}} and its testbench. Made by fovea beside {{name}}.c.
#   cmake -S . -B build && cmake --build build && build/{{name}}_main --input IN.npz --output OUT.npz
cmake_minimum_required(VERSION 3.16)
project({{name}} LANGUAGES {{languages}})
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_STANDARD 99)

add_library({{name}} STATIC {{sources}})
target_include_directories({{name}} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
if(UNIX)
  target_link_libraries({{name}} PUBLIC m)
endif()
{{target}}

add_executable({{name}}_main {{name}}_main.c)
target_link_libraries({{name}}_main PRIVATE {{name}})
{{threads}}
