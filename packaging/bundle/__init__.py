"""The parts of a build of the frozen executable. Which one comes when is said in `packaging/build.py`."""
