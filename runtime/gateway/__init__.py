"""
The one door in front of all processes: HAProxy, told by files that are rendered here what is behind it.

A request reaches the process that hosts its domain, and nothing reaches what is inside. A token is looked at here as
well, and who is not signed in is counted here alone. To a client it looks as one process with all domains does.

``site`` describes what is wanted, ``configuration`` words it for HAProxy, ``program`` finds and runs HAProxy.
"""
