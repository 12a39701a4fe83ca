"""Networks into model bundles and engines, and whether those answer like the networks."""
