"""The contract in Python: made from proto/ by `python proto/generate.py`, and never edited.

Clients import this and nothing else of the package; it needs protobuf and grpcio alone.
"""
