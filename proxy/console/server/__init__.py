"""HTTP of the console: OTLP in, the API, the page. aiohttp's only room here."""
