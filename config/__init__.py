"""The composition root: settings, topology, URLs, processes. It imports everything; nobody imports it."""
