"""The command `workbench`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.files.text import SafeText


def main() -> None:
    """Run the command line; whatever goes wrong, one line says so, and never a traceback."""
    import click

    from workbench.commands.cli import cli
    from workbench.files.errors import CheckpointError, InputError, SaveError
    from workbench.files.text import clean, clean_lines, literal

    # Streams that whoever started us has closed are None.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    try:
        status = cli.main(prog_name="workbench", standalone_mode=False)
        sys.stdout.flush()
    except (InputError, CheckpointError) as error:
        _end(2, clean_lines(str(error), None))
    except SaveError as error:
        _end(1, clean_lines(str(error), None))
    except click.ClickException as error:
        _end(2, clean(error.format_message(), 700))
    except click.Abort:
        _end(130, literal("interrupted"))
    except BrokenPipeError:
        # Whoever read the output has gone (`workbench presets | head -1`); Python would complain once more at exit.
        _forget_output()
        sys.exit(1)
    except OSError as error:
        _forget_output()
        _end(1, clean(f"cannot go on: {error.strerror or error}"))
    except Exception as error:
        from workbench.runtime.crash import write_crash_report

        report = f"({type(error).__name__}); a report is in {write_crash_report(error)}"
        _end(1, clean(f"something went wrong that should not have {report}", 700))
    else:
        sys.exit(status if isinstance(status, int) else 0)


def _forget_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _end(status: int, message: SafeText) -> None:
    for line in message.splitlines():
        print(f"workbench: {line}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
