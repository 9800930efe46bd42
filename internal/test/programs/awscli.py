# Runs commands of the AWS CLI one after the other in one process: each line of the input is the arguments of one, each line that
# comes back its exit code and what it printed. Each has a session of its own, as in a process of its own; what is saved is that
# Python loads the CLI's modules once.
import json
import os
import sys
import tempfile

from awscli.clidriver import create_clidriver

answers = os.fdopen(os.dup(1), "w")


def run(arguments):
    with tempfile.TemporaryFile() as printed:
        sys.stdout.flush()
        sys.stderr.flush()
        kept = os.dup(1), os.dup(2)
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
        try:
            code = create_clidriver().main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            os.close(kept[0])
            os.close(kept[1])
        printed.seek(0)
        return code or 0, printed.read().decode(errors="replace")


answers.write("ready\n")
answers.flush()
for line in sys.stdin:
    code, text = run(json.loads(line))
    answers.write(json.dumps({"exit": code, "output": text}) + "\n")
    answers.flush()
