"""Makes right-hand sides of Lindblad equations, in the forms that structure allows."""
