"""The page and the API that price products over HTTP."""
