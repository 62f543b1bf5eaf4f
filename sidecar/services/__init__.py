"""One module a noun: state and handlers. Nothing here knows of frames or threads."""
