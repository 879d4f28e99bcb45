"""How good drums are: figures of made drums beside real ones, of models beside baselines, and a page of all of them.

Torch is imported only for the figures that need it: a model's likelihood and a trained critic.
"""
