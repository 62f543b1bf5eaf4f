"""What a frozen executable finds in its environment that its host did not put there."""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it: what is imported here is imported before hello
if TYPE_CHECKING:
    from collections.abc import MutableMapping


def restore_environment(variables: MutableMapping[str, str], bundle_folder: str) -> None:
    """Make `variables` what the host gave, for the children that a service starts: they are no part of the bundle.

    PyInstaller's bootloader notes where it is in `_PYI_*`. On Linux it starts the executable over with the bundle's
    folder at the head of LD_LIBRARY_PATH, and with what was there before in LD_LIBRARY_PATH_ORIG. A program of the
    system would load the bundle's libraries in place of its own. The loader of this process has read it already.
    """
    for name in [name for name in variables if name.startswith("_PYI_")]:
        del variables[name]
    found = variables.get("LD_LIBRARY_PATH", "")
    if found != bundle_folder and not found.startswith(f"{bundle_folder}:"):  # a folder's name may have colons
        return
    del variables["LD_LIBRARY_PATH"]
    original = variables.pop("LD_LIBRARY_PATH_ORIG", None)
    if original is not None:
        variables["LD_LIBRARY_PATH"] = original
