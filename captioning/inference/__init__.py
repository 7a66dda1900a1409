"""Networks at work without training: ONNX graphs made from a model's arrays, and their sessions.

Keras answers the same calls (`KerasDecoder`, `captioning.encoders.Encoder`) where no graph exists.
"""
