"""The environment of a frozen executable becomes the host's again, whatever the host's was."""

from __future__ import annotations

import pytest

from sidecar.runtime.frozen import restore_environment

BUNDLE = "/app/sidecar/_internal"
NOTES = {"_PYI_ARCHIVE_FILE": "/app/sidecar/x", "_PYI_APPLICATION_HOME_DIR": BUNDLE, "_PYI_PARENT_PROCESS_LEVEL": "0"}
HOST = {"PATH": "/bin", "HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        (NOTES, {}),
        ({**NOTES, "LD_LIBRARY_PATH": BUNDLE}, {}),
        (
            {"LD_LIBRARY_PATH": f"{BUNDLE}:/opt/a:/opt/b", "LD_LIBRARY_PATH_ORIG": "/opt/a:/opt/b"},
            {"LD_LIBRARY_PATH": "/opt/a:/opt/b"},
        ),
        ({"LD_LIBRARY_PATH": "/opt/a"}, {"LD_LIBRARY_PATH": "/opt/a"}),
        ({"LD_LIBRARY_PATH": f"{BUNDLE}2:/opt/a"}, {"LD_LIBRARY_PATH": f"{BUNDLE}2:/opt/a"}),
        ({"LD_LIBRARY_PATH_ORIG": "/opt/a"}, {"LD_LIBRARY_PATH_ORIG": "/opt/a"}),
    ],
    ids=["nothing", "notes", "none before", "some before", "the host's own", "a longer name", "no bootloader's"],
)
def test_what_the_host_gave_is_there_again(before: dict[str, str], after: dict[str, str]) -> None:
    variables = {**HOST, **before}
    restore_environment(variables, BUNDLE)
    assert variables == {**HOST, **after}


@pytest.mark.parametrize(("added", "after"), [("", None), (":/opt/a", "/opt/a")], ids=["none before", "some before"])
def test_a_folder_with_a_colon_in_its_name(added: str, after: str | None) -> None:
    """It does not work in a search path, but the children of a service must not get it either."""
    bundle = "/app/version 1:2/_internal"
    original = {} if after is None else {"LD_LIBRARY_PATH_ORIG": after}
    variables = {**HOST, **original, "LD_LIBRARY_PATH": bundle + added}
    restore_environment(variables, bundle)
    assert variables == {**HOST, **({} if after is None else {"LD_LIBRARY_PATH": after})}
