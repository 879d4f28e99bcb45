"""The page: its files, and the entrance by which a browser reaches the methods of the contract."""
