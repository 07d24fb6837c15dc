"""Image -> Result: the protocol and the stages around a network (``base``), torch and onnxruntime behind them.

``loading`` is the one door to all of them.
"""
