"""The order of rows under a view: sorted in one go or in passes, and kept."""
