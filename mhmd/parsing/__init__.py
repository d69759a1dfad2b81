"""Human parsing: which pixel is hair, skin, clothes. A parser is chosen by name."""
