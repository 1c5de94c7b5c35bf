# One bounded fuzzing run: seeds into a fresh corpus, then libFuzzer. Variables: PROGRAM, SEEDS, NAME, WORK.
set(corpus ${WORK}/corpus/${NAME})
file(REMOVE_RECURSE ${corpus})
file(MAKE_DIRECTORY ${corpus})
execute_process(COMMAND ${SEEDS} ${NAME} ${corpus}/seed COMMAND_ERROR_IS_FATAL ANY)
execute_process(
    COMMAND ${PROGRAM} -runs=20000 -max_total_time=10 -max_len=8192 -seed=1 -print_final_stats=0
        -artifact_prefix=${WORK}/${NAME}- ${corpus}
    COMMAND_ERROR_IS_FATAL ANY)
