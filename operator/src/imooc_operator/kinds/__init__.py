"""One package per kind this operator reconciles."""
