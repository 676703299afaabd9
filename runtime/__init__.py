"""The machinery behind the contracts. Each sub-package is one named capability and knows no domain."""
