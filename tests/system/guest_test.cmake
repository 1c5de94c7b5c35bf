# tollgate_guest_test(NAME name ...): registers one CTest test that boots one guest (tests/system/guest_test.py).
#
#   KERNEL  tollgate | tollgate-test | tollgate-ubsan, or a path       default tollgate
#   APPEND  "kernel options -- program arguments"                      default empty
#   INITRD  path, or "none"                                            default build/userland/programs.cpio, for
#                                                                      test kernels tests.cpio
#   MACHINE q35 | pc | microvm       ACCEL tcg | icount | kvm | bochs  default q35, tcg
#   SMP n   BOOT pvh | iso   MEM 128M   TIMEOUT seconds (scaled)       default 1, pvh (Bochs: iso), 128M, 60
#   EXPECT  pass | fail | panic | triple-fault | timeout               default pass
#   EXPECT_OUTPUT regex...   REJECT_OUTPUT regex...                    console lines that must or must not appear
#   KTAP n  CHECKS k  SKIPS s  FAILS regex    at least n tests and k checks, at most s skips; a planted fault's tests must fail
#   QEMU_ARGS arg...         further QEMU arguments
#   LABELS label...          every guest test also gets "guest"; "slow" keeps it out of tests/run.sh
#
# A guest whose CPUs run in parallel counts as that many processors, so ctest -j2 runs it alone; icount and Bochs use one.
function(tollgate_guest_test)
  set(single NAME KERNEL APPEND INITRD MACHINE ACCEL SMP BOOT MEM TIMEOUT EXPECT KTAP CHECKS SKIPS FAILS)
  set(multiple EXPECT_OUTPUT REJECT_OUTPUT QEMU_ARGS LABELS)
  cmake_parse_arguments(PARSE_ARGV 0 T "" "${single}" "${multiple}")
  if(T_UNPARSED_ARGUMENTS OR NOT T_NAME)
    message(FATAL_ERROR "tollgate_guest_test(NAME ${T_NAME}): not understood: ${T_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT T_KERNEL)
    set(T_KERNEL tollgate)
  endif()
  set(archive programs.cpio)
  if(T_KERNEL MATCHES "tollgate-(test|ubsan)")
    set(archive tests.cpio)
  endif()
  if(NOT T_KERNEL MATCHES "/")
    set(T_KERNEL ${PROJECT_BINARY_DIR}/kernel/${T_KERNEL}.elf)
  endif()
  if(NOT T_ACCEL)
    set(T_ACCEL tcg)
  endif()
  if(NOT T_SMP)
    set(T_SMP 1)
  endif()
  set(command ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tests/system/guest_test.py --kernel=${T_KERNEL} --accel=${T_ACCEL}
    --smp=${T_SMP} --log=${PROJECT_BINARY_DIR}/guest-logs/${T_NAME}.log)
  if(T_INITRD STREQUAL "none")
    list(APPEND command --no-initrd)
  elseif(T_INITRD)
    list(APPEND command --initrd=${T_INITRD})
  else()
    list(APPEND command --initrd=${PROJECT_BINARY_DIR}/userland/${archive})
  endif()
  foreach(name APPEND MACHINE BOOT MEM TIMEOUT EXPECT KTAP CHECKS SKIPS FAILS)
    if(NOT "${T_${name}}" STREQUAL "")
      string(TOLOWER ${name} option)
      list(APPEND command "--${option}=${T_${name}}")
    endif()
  endforeach()
  foreach(pattern IN LISTS T_EXPECT_OUTPUT)
    list(APPEND command "--expect-output=${pattern}")
  endforeach()
  foreach(pattern IN LISTS T_REJECT_OUTPUT)
    list(APPEND command "--reject-output=${pattern}")
  endforeach()
  foreach(argument IN LISTS T_QEMU_ARGS)
    list(APPEND command "--qemu-arg=${argument}")
  endforeach()
  set(processors 1)
  if(T_ACCEL MATCHES "^(tcg|kvm)$")
    set(processors ${T_SMP})
  endif()
  add_test(NAME ${T_NAME} COMMAND ${command})
  # The guest's own bound, scaled to the machine, decides; CTest's is only a last resort.
  set_tests_properties(${T_NAME} PROPERTIES LABELS "guest;${T_LABELS}" PROCESSORS ${processors} TIMEOUT 1500)
endfunction()
