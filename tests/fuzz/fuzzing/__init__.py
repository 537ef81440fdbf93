"""What the fuzz tests are made of: a strict reader, a grammar with its mutations, peers, a rig that checks for leaks.

Every case is a function of one seed. A failure names the seed, and `make fuzz SEED=n` runs that case alone. Rules:
- the reader shares no code with the sidecar, nor with the readers of the other tests;
- loopback and port 0 only; every wait has a bound; nothing here knows what the sidecar would do, only what it must not.
"""
