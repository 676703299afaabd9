"""What a process tells about itself: health, logs, request ids and traces."""
