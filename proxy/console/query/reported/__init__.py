"""What the answers on sidecars' reports are made of: who a peer is, since when all is known, checks and verdicts."""
