"""The commands for people. Each speaks to a child sidecar through the same pipes as any host."""
