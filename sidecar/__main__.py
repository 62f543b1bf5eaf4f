"""`python -m sidecar` is `arrow-sidecar`."""

from .cli import main

main()
