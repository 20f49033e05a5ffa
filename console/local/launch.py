"""Becomes a child that cannot outlive its parent. A script (`python -I -S launch.py …`), standard library only.

A script between the parent and the program instead of `preexec_fn`: code that runs after a fork in a process
with threads may deadlock, and `preexec_fn` cannot tell its parent in words what went wrong.

Exit codes of its own: 124 the parent was gone already, 125 the kernel refuses a user namespace, 126 the
account cannot be taken, 127 the program cannot be run.
"""

import ctypes
import os
import pwd
import sys

PARENT_GONE, NAMESPACE_REFUSED, ACCOUNT_REFUSED, NOT_RUNNABLE = 124, 125, 126, 127

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_MAPPED_ID = 1000  # any number but 0: who we appear to be inside the namespace


def main(arguments: list[str]) -> None:
    """`PARENT_PID SIGNAL IDENTITY PROGRAM [ARGUMENT …]`; IDENTITY is `self`, `mapped` or `account:NAME`."""
    parent, stop_signal, identity, *command = arguments
    if identity == "mapped":
        _appear_as_ordinary_user()
    elif identity.startswith("account:"):
        _become(identity.removeprefix("account:"))
    # After any change of identity, because such a change clears the wish.
    _die_with(int(parent), int(stop_signal))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        _give_up(NOT_RUNNABLE, f"{command[0]}: {error.strerror}")


def _appear_as_ordinary_user() -> None:
    """Root outside, an ordinary user inside: PostgreSQL refuses to run as root, yet its files stay ours."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare") or libc.unshare(_CLONE_NEWUSER) != 0:
        _give_up(NAMESPACE_REFUSED, "user namespaces are not allowed here")
    try:
        for name, line in (
            ("setgroups", "deny"),
            ("uid_map", f"{_MAPPED_ID} {uid} 1"),
            ("gid_map", f"{_MAPPED_ID} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
    except OSError as error:
        _give_up(NAMESPACE_REFUSED, f"user namespaces cannot be mapped here: {error.strerror}")


def _become(name: str) -> None:
    try:
        account = pwd.getpwnam(name)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    except (KeyError, OSError) as error:
        _give_up(ACCOUNT_REFUSED, f"cannot become {name}: {error}")


def _die_with(parent: int, stop_signal: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):  # Linux; elsewhere the reaper alone looks after orphans
        libc.prctl(_PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the wish was made
        sys.exit(PARENT_GONE)


def _give_up(code: int, sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
