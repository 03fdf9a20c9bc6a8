"""The image downloader: links, fetching, the store of earlier results, and image shards."""
