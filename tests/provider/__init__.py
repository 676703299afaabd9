"""
A payment provider that the tests own: a process of its own that speaks the part of Stripe's HTTP API that is used here,
keeps a journal of the money on disk, and misbehaves by the payment method it is given (methods.py has the list).

``python -m tests.provider --port 0 --journal FILE`` prints the address it answers at.
"""
