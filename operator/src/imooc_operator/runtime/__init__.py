"""What every controller needs and no kind owns: caches, queue, controller loop, health, metrics."""
