"""The benchmark: what this sidecar costs beside other proxies, and the codecs beside the stock ones.

Run as `make bench` or `python -m bench`. May know everything in this repository; nothing in it may know the benchmark.
"""
