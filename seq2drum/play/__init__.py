"""A loaded model makes drums: options and a song go in, a take comes out bar by bar.

This room computes with ONNX Runtime and never imports torch.
"""
