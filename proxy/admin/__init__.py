"""The admin listener: health and metrics over aiohttp, apart from the data plane.

It shows no secret and changes nothing. Only `server` imports aiohttp.
"""
