"""A script that becomes a command which ends with the process that started it, however that ends.

A parent that is killed cannot end its children, and they would write on into the folders of its next start. The kernel
ends them if they have asked for it, and that outlasts `exec`. Asking for it between fork and exec (`preexec_fn`) is not
safe where the parent has threads, and a thread in each command that watches the parent would have to be in all of them.
So this stands in between: it is run by its path, imports the standard library alone and costs two hundredths of a
second.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main() -> None:
    """Become the command in the arguments, which follows the process number of the parent."""
    parent, *command = sys.argv[1:]
    # Not SIGTERM: nobody would be there to insist, and all commands keep what they have saved through any kill.
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL)) != 0:
        sys.exit("the kernel refuses to end this process with its parent")
    if os.getppid() != int(parent):
        sys.exit("the parent is gone")  # before it was asked for
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
