"""A mutating admission webhook: puts the sidecar into pods as they are created.

`admission` is pure. It never refuses a pod: whatever fails here, the pod goes on without a sidecar, and is counted.
"""
