"""A loaded model makes drums: a song and options go in, a take comes out, bar by bar.

`drummer` is the entry point, `decoding` the loop over bars, `engine` runs the model. This room computes with ONNX
Runtime and never imports torch.
"""
