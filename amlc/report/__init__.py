"""The results of a run of the pipeline: an HTML page, tables for plots, and a summary."""
