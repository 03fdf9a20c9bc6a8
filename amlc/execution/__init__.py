"""Where stages compute their independent pieces: threads, processes or the workers of a cluster."""
