"""The only code that touches descriptors, threads and clocks."""
