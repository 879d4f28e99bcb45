"""A loaded model makes drums: a song and options go in, a take comes out, bar by bar.

`drummer` is what everyone calls, `decoding` the loop over bars, `engine` what computes. This room computes with ONNX
Runtime and never imports torch.
"""
