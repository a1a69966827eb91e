"""The command line: a module per command with HELP, add_arguments(parser) and run(options).

`run` returns the exit status. RESUMES = True says that after Ctrl-C the same command goes on. What
a command needs of TensorFlow it imports in `run`, so that `--help` is instant. `main.COMMANDS`
lists the modules.
"""
