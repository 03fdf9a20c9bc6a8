"""Links, one fetch, many fetches, what was already fetched, shards."""
