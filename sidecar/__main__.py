"""`python -m sidecar` is `arrow-sidecar`."""

from .start import main

main()
