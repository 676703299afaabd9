"""
Money under faults: the whole shop in processes of its own, a payment provider that keeps its own journal, and faults.

`make chaos-money` runs it in full; the normal suite runs a slice. The dice are seeded (CHAOS_SEED), and the seed is
printed.
"""
