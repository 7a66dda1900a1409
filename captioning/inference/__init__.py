"""Inference without training: ONNX graphs written from a model's arrays, and their sessions.

Without a graph, Keras provides the same interface (`KerasDecoder`, `captioning.encoders.Encoder`).
"""
