"""How good drums are: figures of made drums beside real ones, baselines, critics, and the report of all of them.

Torch is imported only where a trained critic or a model's own likelihood asks for it.
"""
