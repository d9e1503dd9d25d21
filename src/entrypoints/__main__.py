from entrypoints.cli import main

main(prog_name="evo-todo")
