"""The whole operator in virtual time under whatever hypothesis thinks of."""
