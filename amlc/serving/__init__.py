"""What prices a new product: the bundle, the command's engine, the web application."""
