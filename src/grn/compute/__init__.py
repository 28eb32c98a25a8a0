"""Heavy work, here or on a cluster: shipped, queued, followed, brought home."""
