"""The admin listener: health and metrics over aiohttp, apart from the data plane.

It shows no secrets and changes nothing. Only `server` imports aiohttp.
"""
