"""Those who propose: incumbents, and candidates served from signed ONNX bundles."""
