"""Arrow Sidecar: DataFrames for desktop apps, from a Python child process over stdin and stdout.

`sidecar.client` is the host's side, `sidecar.testing` the pytest fixtures, `sidecar.app` the process itself.
Importing this package imports nothing else, so that the process can greet its host before anything heavy.
"""
