"""HTTP/1.1: the connections of clients and upstreams, and the exchange between them."""
