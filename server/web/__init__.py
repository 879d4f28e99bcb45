"""The page: its files, and the web server by which a browser calls the methods of the contract."""
